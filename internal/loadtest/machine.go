package loadtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTick is the unit of the times in /proc: USER_HZ, 100 a second on every Linux that Go runs on.
const cpuTick = 10 * time.Millisecond

// usage is CPU time by who used it, since their start. It is empty where there is no /proc.
type usage map[string]time.Duration

// The users of CPU time that every usage has; the others are processes by name.
const (
	wholeMachine = "machine" // everything that runs
	postgresName = "PostgreSQL"
)

// readUsage reads the CPU time of the machine, of processes, and of a postmaster with its children.
func readUsage(processes map[string]int, postmaster int) usage {
	u := usage{}
	if text, err := os.ReadFile("/proc/stat"); err == nil {
		if busy, err := parseMachine(string(text)); err == nil {
			u[wholeMachine] = busy
		}
	}
	for name, pid := range processes {
		if s, err := readStat(pid); err == nil {
			u[name] = s.cpu
		}
	}
	if postmaster == 0 {
		return u
	}
	entries, _ := filepath.Glob("/proc/[0-9]*/stat") // the only error is a bad pattern
	for _, entry := range entries {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(entry)))
		if err != nil {
			continue
		}
		switch s, err := readStat(pid); {
		case err != nil: // it has just ended
		case pid == postmaster:
			u[postgresName] += s.cpu + s.ended
		case s.parent == postmaster:
			u[postgresName] += s.cpu
		}
	}
	return u
}

// processStat is what we need of proc_pid_stat(5).
type processStat struct {
	parent int
	cpu    time.Duration // of all its threads
	ended  time.Duration // of children that have ended and been waited for
}

func readStat(pid int) (processStat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return processStat{}, err
	}
	return parseStat(string(text))
}

// parseStat reads ppid, utime, stime, cutime and cstime, fields 4 and 14 to 17. The name in field 2 may hold blanks.
func parseStat(text string) (processStat, error) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 15 {
		return processStat{}, errors.New("a stat file of /proc with too few fields")
	}
	var numbers [5]int64
	for i, field := range []int{1, 11, 12, 13, 14} {
		var err error
		if numbers[i], err = strconv.ParseInt(fields[field], 10, 64); err != nil {
			return processStat{}, fmt.Errorf("a stat file of /proc: %w", err)
		}
	}
	return processStat{
		parent: int(numbers[0]),
		cpu:    time.Duration(numbers[1]+numbers[2]) * cpuTick,
		ended:  time.Duration(numbers[3]+numbers[4]) * cpuTick,
	}, nil
}

// parseMachine adds up the first line of /proc/stat without idle and iowait, and without guests, which are in user
// (proc_stat(5)).
func parseMachine(text string) (time.Duration, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, errors.New("/proc/stat has no line cpu")
	}
	sum := int64(0)
	for _, i := range []int{1, 2, 3, 6, 7, 8} { // user, nice, system, irq, softirq, steal
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read /proc/stat: %w", err)
		}
		sum += n
	}
	return time.Duration(sum) * cpuTick, nil
}

// raiseDescriptors allows this process and its children as many as the hard limit, and says if that is too few.
func raiseDescriptors(clients int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of open files to its hard limit: %w", err)
	}
	if needed := uint64(clients + spareDescriptors); uint64(limit.Max) < needed {
		return fmt.Errorf("%d clients need %d open files a process, and the hard limit is %d: raise it (ulimit -Hn, or "+
			"nofile in /etc/security/limits.conf), or use fewer --clients", clients, needed, uint64(limit.Max))
	}
	return nil
}

// spareDescriptors are what a process needs beside one a client: server connections, logs, pipes.
const spareDescriptors = 400

// processor is its name, as the report shows it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
