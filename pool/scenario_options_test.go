package pool_test

import (
	"errors"
	"strconv"
	"strings"

	"github.com/usher-pg/usher/internal/scenario"
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
				cfg.SLO[i] = scenario.Duration(s.t, v)
			}
		case "queue-limit":
			for i, v := range strings.Split(value, ",") {
				cfg.QueueLimit[i] = s.number(v)
			}
		case "queue-timeout":
			cfg.QueueTimeout = scenario.Duration(s.t, value)
		case "ageing":
			cfg.Ageing = scenario.Duration(s.t, value)
		case "refuse-hopeless":
			cfg.RefuseHopeless = true
		case "idle":
			cfg.IdleTimeout = scenario.Duration(s.t, value)
		case "lifetime":
			cfg.Lifetime = scenario.Duration(s.t, value)
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
			cfg.RetryMin, cfg.RetryMax = scenario.Duration(s.t, low), scenario.Duration(s.t, high)
		case "grace":
			cfg.Grace = scenario.Duration(s.t, value)
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
