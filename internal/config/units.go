package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads 30s, 5m, 1h30m, 10ms or a bare 0. A bare number of anything is refused: whether 30
// means seconds or milliseconds is what people get wrong.
func parseDuration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > math.MaxInt64/int(24*time.Hour) {
			return 0, errorf("is not a duration such as 30s, 5m, 1h30m or 2d")
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return 0, errorf("has no unit; 30 seconds are written 30s")
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, errorf("is not a duration such as 30s, 5m, 1h30m or 2d")
	}
	if d < 0 {
		return 0, errorf("is negative")
	}
	return d, nil
}

// durationText writes what parseDuration reads, without the zero units of time.Duration's own String.
func durationText(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return "0"
	case d >= 2*day && d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// sizeUnits are powers of 1024, as in PostgreSQL's own configuration file, the largest first.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}, {"KB", 1 << 10}, {"B", 1},
}

// parseSize reads 16MB, 512kB, or a bare number of bytes.
func parseSize(text string) (int64, error) {
	digits, factor := text, int64(1)
	for _, u := range sizeUnits {
		if d, ok := strings.CutSuffix(text, u.name); ok {
			digits, factor = d, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimRight(digits, " "), 10, 64)
	if err != nil || n < 0 {
		return 0, errorf("is not a size such as 64kB, 16MB or 1GB")
	}
	if n > math.MaxInt64/factor {
		return 0, errorf("is out of range")
	}
	return n * factor, nil
}

// sizeText writes what parseSize reads, in the largest unit that divides it.
func sizeText(n int64) string {
	for _, u := range sizeUnits {
		if n >= u.bytes && n%u.bytes == 0 && u.bytes > 1 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func plain(n int64) string { return strconv.FormatInt(n, 10) }

func rangeText(low, high int64, write func(int64) string) string {
	return write(low) + " to " + write(high)
}

// parsePort reads a TCP port that can be connected to.
func parsePort(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, errorf("has an impossible port, 1 to 65535 is possible")
	}
	return int(n), nil
}
