package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

const (
	// sourceAddresses is how many loopback addresses the logins come from in turn. A port of a closed connection
	// is not used again for a while, and one address has only 28,000 of them.
	sourceAddresses = 64
	// openingAtOnce is how many idle clients connect at the same time.
	openingAtOnce = 64
	// firstLogins are made before the window of a login run.
	firstLogins = 20
)

// connector opens connections to a pooler from changing loopback addresses.
type connector struct {
	config *pgconn.Config
	next   atomic.Uint32
}

func newConnector(p *pooler) (*connector, error) {
	config, err := pgconn.ParseConfig(p.address())
	if err != nil {
		return nil, fmt.Errorf("read the pooler's address: %w", err)
	}
	c := &connector{config: config}
	config.DialFunc = c.dial
	if config.TLSConfig != nil {
		config.TLSConfig.CurvePreferences = keyExchanges
	}
	return c, nil
}

// keyExchanges are those that libpq offers with OpenSSL before 3.5, Debian's. Go's own choice begins with one that
// resists quantum computers, which usher takes and PgBouncer with that OpenSSL does not know: the two would do
// different work.
var keyExchanges = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}

func (c *connector) dial(ctx context.Context, network, address string) (net.Conn, error) {
	source := net.IPv4(127, 0, 1, byte(1+c.next.Add(1)%sourceAddresses))
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: source}}
	return dialer.DialContext(ctx, network, address)
}

func (c *connector) logInAndOut(ctx context.Context) error {
	conn, err := pgconn.ConnectConfig(ctx, c.config)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// measureLogins lets a few workers log in and out as fast as they can.
func (w *world) measureLogins(ctx context.Context, p *pooler) (sample, error) {
	c, err := newConnector(p)
	if err != nil {
		return nil, err
	}
	for range firstLogins {
		if err := c.logInAndOut(ctx); err != nil {
			return nil, err
		}
	}
	before, err := p.cpu()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	latencies, err := c.repeat(ctx, p.work.clients, time.Duration(w.seconds)*time.Second)
	took := time.Since(begun)
	after, cpuErr := p.cpu()
	resident, memoryErr := p.resident()
	if err := errors.Join(err, cpuErr, memoryErr); err != nil {
		return nil, err
	}
	if len(latencies) == 0 {
		return nil, errors.New("nobody logged in")
	}
	done := float64(len(latencies))
	return sample{
		cpuPerUnit: float64(after-before) / float64(time.Microsecond) / done,
		throughput: done / took.Seconds(),
		latencyP50: quantile(latencies, 0.5),
		latencyP99: quantile(latencies, 0.99),
		memory:     resident,
	}, nil
}

// repeat logs in and out with some workers for a time. It returns how long each took, in milliseconds,
// sorted.
func (c *connector) repeat(ctx context.Context, workers int, length time.Duration) ([]float64, error) {
	end := time.Now().Add(length)
	perWorker := make([][]float64, workers)
	group, ctx := errgroup.WithContext(ctx)
	for i := range perWorker {
		group.Go(func() error {
			for now := time.Now(); now.Before(end); {
				if err := c.logInAndOut(ctx); err != nil {
					return err
				}
				then := time.Now()
				perWorker[i] = append(perWorker[i], then.Sub(now).Seconds()*1000)
				now = then
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	latencies := slices.Concat(perWorker...)
	slices.Sort(latencies)
	return latencies, nil
}

// measureIdle connects clients, each of which asks one question and then nothing, and reads the pooler's
// memory when they have been idle for a while.
func (w *world) measureIdle(ctx context.Context, p *pooler) (sample, error) {
	base, err := p.resident()
	if err != nil {
		return nil, err
	}
	c, err := newConnector(p)
	if err != nil {
		return nil, err
	}
	conns := make([]*pgconn.PgConn, p.work.clients)
	defer func() {
		for _, conn := range conns {
			if conn != nil {
				_ = conn.Conn().Close() // without a farewell: the pooler is stopped next
			}
		}
	}()
	group, opening := errgroup.WithContext(ctx)
	group.SetLimit(openingAtOnce)
	for i := range conns {
		group.Go(func() error {
			conn, err := pgconn.ConnectConfig(opening, c.config)
			if err != nil {
				return fmt.Errorf("client %d: %w", i+1, err)
			}
			conns[i] = conn
			_, err = conn.Exec(opening, "SELECT 1").ReadAll()
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	timer := time.NewTimer(w.settle)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-timer.C:
	}
	resident, err := p.resident()
	return sample{memory: resident, memoryBase: base}, err
}
