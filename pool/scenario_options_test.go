package pool_test

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/usher-pg/usher/pool"
)

func (s *stage) configure(cfg *pool.Config, args []string) {
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		var err error
		switch name {
		case "min":
			cfg.Min, err = strconv.Atoi(value)
		case "max":
			cfg.Max, err = strconv.Atoi(value)
		case "reserve":
			cfg.Reserve, err = strconv.Atoi(value)
		case "slo":
			for i, v := range strings.Split(value, ",") {
				cfg.SLO[i] = s.duration(v)
			}
		case "queue-limit":
			for i, v := range strings.Split(value, ",") {
				cfg.QueueLimit[i] = s.number(v)
			}
		case "queue-timeout":
			cfg.QueueTimeout = s.duration(value)
		case "ageing":
			cfg.Ageing = s.duration(value)
		case "refuse-hopeless":
			cfg.RefuseHopeless = true
		case "idle":
			cfg.IdleTimeout = s.duration(value)
		case "lifetime":
			cfg.Lifetime = s.duration(value)
		case "jitter":
			cfg.LifetimeJitter, err = strconv.ParseFloat(value, 64)
		case "warm":
			cfg.Warm, err = strconv.ParseFloat(value, 64)
		case "rate":
			cfg.OpenRate = s.number(value)
		case "parallel":
			cfg.OpenParallel, err = strconv.Atoi(value)
		case "retry":
			low, high, _ := strings.Cut(value, "..")
			cfg.RetryMin, cfg.RetryMax = s.duration(low), s.duration(high)
		case "grace":
			cfg.Grace = s.duration(value)
		default:
			err = errors.New("no such option")
		}
		if err != nil {
			s.t.Fatalf("%s: %v", arg, err)
		}
	}
}

func (s *stage) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *stage) duration(text string) time.Duration {
	if text == "0" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}
