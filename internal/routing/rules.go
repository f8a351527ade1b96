package routing

import (
	"cmp"
	"math/rand/v2"
	"time"

	"github.com/usher-pg/usher/internal/backend"
	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

// resetTimeout bounds how long usher cleans a server connection whose client has left. Cleaning is a ROLLBACK
// and the reset query; a server that needs longer for them is better replaced.
const resetTimeout = 10 * time.Second

var modes = map[config.Mode]relay.Mode{
	config.ModeTransaction: relay.ModeTransaction,
	config.ModeSession:     relay.ModeSession,
	config.ModeStatement:   relay.ModeStatement,
}

// rulesOf is what a pool of the configuration means to the relay.
func rulesOf(p *config.Pool, dial relay.Dialer) relay.Rules {
	t := &p.Timeouts
	return relay.Rules{
		Mode:   modes[p.Mode],
		Engine: engineConfig(p),
		Timeouts: relay.Timeouts{
			Query:             t.Query,
			Transaction:       t.Transaction,
			IdleInTransaction: t.IdleInTransaction,
			ClientIdle:        t.ClientIdle,
			Cancel:            t.CancelWait,
			Reset:             resetTimeout,
		},
		ConnectTimeout: connectTimeout(p),
		Statements:     p.PreparedStatements,
		ResetQuery:     p.ResetQuery,
		EndIdle:        p.Emergency.EndIdleInTransaction,
		Dial:           dial,
	}
}

// noConnectTimeout stands in for a server_connect of 0: the relay bounds every attempt.
const noConnectTimeout = 24 * time.Hour

func connectTimeout(p *config.Pool) time.Duration {
	if p.Timeouts.ServerConnect == 0 {
		return noConnectTimeout
	}
	return p.Timeouts.ServerConnect
}

func engineConfig(p *config.Pool) engine.Config {
	c := engine.Config{
		Min:            p.Size.Min,
		Max:            p.Size.Max,
		Reserve:        p.Size.Reserve,
		QueueTimeout:   p.Timeouts.QueryWait,
		Ageing:         p.Lanes.Ageing,
		IdleTimeout:    p.Timeouts.ServerIdle,
		Lifetime:       p.Timeouts.ServerLifetime,
		LifetimeJitter: float64(p.Timeouts.ServerLifetimeJitter) / 100,
		RefuseHopeless: p.Lanes.Hopeless == config.HopelessRefuse,
		Warm:           float64(p.Size.Warm) / 100,
		OpenParallel:   p.Size.Opening,
		OpenRate:       p.Size.OpeningRate,
		RetryMin:       min(engine.DefaultRetryMin, p.Timeouts.ServerLoginRetry),
		RetryMax:       p.Timeouts.ServerLoginRetry,
		Grace:          p.Timeouts.ServerGrace,
		Seed:           rand.Uint64(),
	}
	if p.Timeouts.ServerLifetimeJitter == 0 {
		c.LifetimeJitter = -1 // the engine's word for none; 0 is its default
	}
	c.SLO[engine.Critical], c.QueueLimit[engine.Critical] = p.Lanes.AcquireSLO, p.Lanes.MaxWaiting
	for lane, own := range map[engine.Lane]config.LaneLimits{
		engine.High: p.Lanes.High, engine.Normal: p.Lanes.Normal, engine.Low: p.Lanes.Low,
	} {
		c.SLO[lane], c.QueueLimit[lane] = own.AcquireSLO, cmp.Or(own.MaxWaiting, p.Lanes.MaxWaiting)
	}
	return c
}

// serverParams are the start-up parameters of a pool's server connections.
func serverParams(p *config.Pool) []wire.Param {
	var params []wire.Param
	if p.ApplicationName != "" {
		params = append(params, wire.Param{Name: "application_name", Value: p.ApplicationName})
	}
	if p.ServerOptions != "" {
		params = append(params, wire.Param{Name: "options", Value: p.ServerOptions})
	}
	return params
}

// sslModes has backend's value for each of the configuration's.
var sslModes = map[config.SSLMode]backend.SSLMode{
	config.SSLDisable:    backend.SSLDisable,
	config.SSLAllow:      backend.SSLAllow,
	config.SSLPrefer:     backend.SSLPrefer,
	config.SSLRequire:    backend.SSLRequire,
	config.SSLVerifyCA:   backend.SSLVerifyCA,
	config.SSLVerifyFull: backend.SSLVerifyFull,
}

// tlsFiles are the files a pool's TLS is made from.
func tlsFiles(p *config.Pool) backend.TLSFiles {
	files := backend.TLSFiles{CA: p.TLS.CA, Cert: p.TLS.Cert, Key: p.TLS.Key}
	if files.CA == config.SystemCA {
		files.CA = "" // no roots of our own: crypto/x509 takes the system's
	}
	return files
}
