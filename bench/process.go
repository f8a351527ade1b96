package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// process is the number of a process whose CPU and memory are read from /proc.
type process int

// tick is the unit of the times in /proc/PID/stat: USER_HZ, 100 a second on every Linux that Go runs on.
// It is why a run has to last some seconds.
const tick = 10 * time.Millisecond

// cpu is the user and system time the process has used, its threads included, those that have ended too.
func (p process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", int(p)))
	if err != nil {
		return 0, fmt.Errorf("read the CPU time of the pooler: %w", err)
	}
	return parseStat(string(text))
}

// parseStat reads utime and stime, fields 14 and 15 of proc_pid_stat(5). The name in field 2 may hold blanks.
func parseStat(text string) (time.Duration, error) {
	end := strings.LastIndexByte(text, ')')
	fields := strings.Fields(text[end+1:])
	if end < 0 || len(fields) < 13 {
		return 0, errors.New("read the CPU time of the pooler: no such fields in its stat file")
	}
	user, userErr := strconv.ParseInt(fields[11], 10, 64)
	system, systemErr := strconv.ParseInt(fields[12], 10, 64)
	if err := errors.Join(userErr, systemErr); err != nil {
		return 0, fmt.Errorf("read the CPU time of the pooler: %w", err)
	}
	return time.Duration(user+system) * tick, nil
}

// resident is the memory of the process that is in RAM, in megabytes.
func (p process) resident() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", int(p)))
	if err != nil {
		return 0, fmt.Errorf("read the memory of the pooler: %w", err)
	}
	return parseStatus(string(text))
}

func parseStatus(text string) (float64, error) {
	for line := range strings.Lines(text) {
		value, found := strings.CutPrefix(line, "VmRSS:")
		if !found {
			continue
		}
		number := strings.TrimSuffix(strings.TrimSpace(value), " kB")
		kibibytes, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return 0, fmt.Errorf("read the memory of the pooler: %w", err)
		}
		return kibibytes * 1024 / 1e6, nil
	}
	return 0, errors.New("read the memory of the pooler: no VmRSS in its status file")
}
