package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A thread of pgbench (-j) has clientsPerThread clients at most. Each time one looks for answers the kernel goes
// through all of its sockets, and what it charges others for meanwhile is wrong if that takes long
// (docs/benchmarks.md, "Who is charged for what").
const (
	clientsPerThread = 250
	fewestThreads    = 2
)

// threads is how many threads pgbench has.
func threads(clients int) int {
	return min(clients, max(fewestThreads, (clients+clientsPerThread-1)/clientsPerThread))
}

// bigRowScript makes one row of 1 MB; the text does not compress into fewer bytes on the wire.
const bigRowScript = "SELECT repeat('x', 1048576);\n"

// manyClients and more make pgbench slow to go round them all: it prints a line of progress every few
// seconds only, so their runs are longer.
const manyClients = 9000

// warmUp is the part of an open loop that is not counted.
const warmUp = time.Second

// reading is the state of a run when pgbench has printed a line of progress.
type reading struct {
	at     float64 // seconds since pgbench's clients were connected
	rate   float64 // transactions per second since the line before
	cpu    time.Duration
	memory float64
}

// closedLoop runs pgbench with every client as fast as its answers come. The window that counts begins
// with the first line of progress, so connecting and warming up are outside.
func (w *world) closedLoop(ctx context.Context, p *pooler) (sample, error) {
	arguments, err := w.pgbenchArguments(p)
	if err != nil {
		return nil, err
	}
	cmd := w.pgbench(ctx, append(arguments, "-P", "1", p.address()))
	var output bytes.Buffer
	cmd.Stdout = &output
	lines, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start pgbench: %w", err)
	}
	readings, complaints, readErr := watch(lines, p.process)
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("pgbench: %w\n%s", err, complaints)
	}
	if err := errors.Join(readErr, checkOutput(output.String())); err != nil {
		return nil, err
	}
	return summarise(readings)
}

// watch reads what pgbench prints until it ends, and the pooler's CPU and memory at every line of progress.
func watch(lines io.Reader, p process) (readings []reading, complaints string, err error) {
	var others []string
	scanner := bufio.NewScanner(lines)
	for scanner.Scan() {
		at, rate, ok := parseProgress(scanner.Text())
		if !ok {
			if others = append(others, scanner.Text()); len(others) > 10 {
				others = others[1:]
			}
			continue
		}
		r := reading{at: at, rate: rate}
		var cpuErr, memoryErr error
		r.cpu, cpuErr = p.cpu()
		r.memory, memoryErr = p.resident()
		err = errors.Join(err, cpuErr, memoryErr)
		readings = append(readings, r)
	}
	return readings, strings.Join(others, "\n"), errors.Join(err, scanner.Err())
}

var progressLine = regexp.MustCompile(`^progress: ([\d.]+) s, ([\d.]+) tps,`)

func parseProgress(line string) (at, rate float64, ok bool) {
	match := progressLine.FindStringSubmatch(line)
	if match == nil {
		return 0, 0, false
	}
	at, atErr := strconv.ParseFloat(match[1], 64)
	rate, rateErr := strconv.ParseFloat(match[2], 64)
	return at, rate, atErr == nil && rateErr == nil
}

// summarise turns the readings of a run into its figures.
func summarise(readings []reading) (sample, error) {
	if len(readings) < 2 {
		return nil, fmt.Errorf("pgbench printed %d lines of progress: the run is too short", len(readings))
	}
	first, last := readings[0], readings[len(readings)-1]
	var done, most float64
	for i, r := range readings[1:] {
		done += r.rate * (r.at - readings[i].at)
		most = max(most, r.memory)
	}
	if done < 1 {
		return nil, errors.New("no transaction was done")
	}
	return sample{
		cpuPerUnit: float64(last.cpu-first.cpu) / float64(time.Microsecond) / done,
		throughput: done / (last.at - first.at),
		memory:     most,
	}, nil
}

// openLoop runs pgbench at a rate. A transaction's latency counts from when it was due.
func (w *world) openLoop(ctx context.Context, p *pooler, rate float64) (sample, error) {
	dir, err := os.MkdirTemp(w.folder, "latencies-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	arguments, err := w.pgbenchArguments(p)
	if err != nil {
		return nil, err
	}
	arguments = append(arguments, "-R", strconv.FormatFloat(rate, 'f', 0, 64),
		"-l", "--log-prefix="+filepath.Join(dir, "log"), p.address())
	cmd := w.pgbench(ctx, arguments)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("pgbench: %w\n%s", err, complaints.String())
	}
	if err := checkOutput(string(output)); err != nil {
		return nil, err
	}
	latencies, err := readLatencies(dir)
	if err != nil {
		return nil, err
	}
	return sample{latencyP50: quantile(latencies, 0.5), latencyP99: quantile(latencies, 0.99)}, nil
}

func (w *world) pgbenchArguments(p *pooler) ([]string, error) {
	length := time.Duration(w.seconds) * time.Second
	if p.work.clients >= manyClients {
		length *= 2
	}
	length += warmUp
	arguments := []string{
		"-n", "-c", strconv.Itoa(p.work.clients), "-j", strconv.Itoa(threads(p.work.clients)),
		"-T", strconv.Itoa(int(length / time.Second)), "-M", p.work.protocol,
	}
	if p.work.kind != bigRows {
		return append(arguments, "-S"), nil
	}
	script := filepath.Join(w.folder, "big-row.sql")
	if err := os.WriteFile(script, []byte(bigRowScript), 0o644); err != nil {
		return nil, err
	}
	return append(arguments, "-f", script), nil
}

var failedLine = regexp.MustCompile(`(?m)^number of failed transactions: (\d+)`)

// checkOutput refuses a run in which something failed.
func checkOutput(output string) error {
	match := failedLine.FindStringSubmatch(output)
	if match != nil && match[1] != "0" {
		return fmt.Errorf("pgbench: %s transactions failed", match[1])
	}
	return nil
}

// readLatencies reads the logs of pgbench's threads, in milliseconds and sorted, without the first second.
func readLatencies(dir string) ([]float64, error) {
	files, err := filepath.Glob(filepath.Join(dir, "log*"))
	if err != nil {
		return nil, err
	}
	var entries []logEntry
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read pgbench's log: %w", err)
		}
		if entries, err = parseLog(entries, string(text)); err != nil {
			return nil, err
		}
	}
	if len(entries) == 0 {
		return nil, errors.New("pgbench logged no transaction")
	}
	begin := slices.MinFunc(entries, func(a, b logEntry) int { return a.end.Compare(b.end) }).end.Add(warmUp)
	var latencies []float64
	for _, e := range entries {
		if e.end.After(begin) {
			latencies = append(latencies, e.latency)
		}
	}
	if len(latencies) == 0 {
		return nil, errors.New("the run is too short: pgbench logged no transaction after the first second")
	}
	slices.Sort(latencies)
	return latencies, nil
}

type logEntry struct {
	end     time.Time
	latency float64 // milliseconds
}

// parseLog reads lines of "client transaction latency script seconds microseconds …"; see "Per-Transaction
// Logging" in pgbench's manual.
func parseLog(entries []logEntry, text string) ([]logEntry, error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 6 {
			return nil, fmt.Errorf("pgbench's log has the line %q", line)
		}
		latency, latencyErr := strconv.ParseFloat(fields[2], 64)
		seconds, secondsErr := strconv.ParseInt(fields[4], 10, 64)
		micros, microsErr := strconv.ParseInt(fields[5], 10, 64)
		if err := errors.Join(latencyErr, secondsErr, microsErr); err != nil {
			return nil, fmt.Errorf("pgbench's log has the line %q: %w", line, err)
		}
		entries = append(entries, logEntry{time.Unix(seconds, micros*1000), latency / 1000})
	}
	return entries, nil
}
