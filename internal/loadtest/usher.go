package loadtest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/privatepg"
	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/pool"
)

// usher is the usher that is measured, in a process of its own.
type usher struct {
	*child
	release    string
	port, http int
	client     *http.Client
}

// usherSettings are what its configuration is made of.
type usherSettings struct {
	Options
	port, http             int
	databaseURL, usersFile string
}

// usherConfig renders a configuration. Texts are quoted as YAML's double-quoted strings, which JSON's are.
func usherConfig(s usherSettings) string {
	var b strings.Builder
	line := func(format string, arguments ...any) { fmt.Fprintf(&b, format+"\n", arguments...) }
	quoted := func(text string) string {
		q, err := json.Marshal(text)
		if err != nil {
			panic("bug: a string has no JSON: " + err.Error())
		}
		return string(q)
	}
	line("listen: [\"127.0.0.1:%d\"]", s.port)
	line("http: \"127.0.0.1:%d\"", s.http)
	line("auth: {type: scram-sha-256, users_file: %s}", quoted(s.usersFile))
	line("limits: {max_clients: %d}", s.Clients+spareClients)
	line("log: {level: warn}")
	line("pool_defaults:")
	line("  mode: transaction")
	line("  lanes: {max_waiting: %d}", maxWaiting)
	line("  timeouts: {query_wait: %dms, server_idle: %dms}", queryWait.Milliseconds(), unpreparedIdle.Milliseconds())
	line("pools:")
	for _, p := range poolsOf(s.Options) {
		line("  %s: {url: %s, size: {min: %d, max: %d, reserve: %d}}", p.name, quoted(s.databaseURL), p.least, s.Pool,
			s.Reserve)
	}
	return b.String()
}

// poolSize is one of the two pools and how many server connections it has at least.
type poolSize struct {
	name  string
	least int
}

func poolsOf(o Options) []poolSize {
	return []poolSize{{preparedPool, o.Pool}, {unpreparedPool, min(unpreparedMin, o.Pool)}}
}

// secret is what clients prove to know, and what is stored to check it.
type secret struct {
	password, verifier string
}

func newSecret() secret {
	password := rand.Text()
	return secret{password, auth.NewVerifier(password).Text()}
}

// usersFile is in the format of PgBouncer, which usher reads too.
func usersFile(user, stored string) string { return fmt.Sprintf("%q %q\n", user, stored) }

func startUsher(ctx context.Context, o Options, d *database, folder string, s secret) (pooler, error) {
	ports, err := privatepg.FreePorts(2)
	if err != nil {
		return nil, err
	}
	u := &usher{release: o.Version, port: ports[0], http: ports[1], client: &http.Client{Timeout: readPatience}}
	config, users := filepath.Join(folder, "usher.yaml"), filepath.Join(folder, "users.txt")
	text := usherConfig(usherSettings{
		Options: o, port: u.port, http: u.http, databaseURL: d.url, usersFile: users,
	})
	err = errors.Join(
		os.WriteFile(config, []byte(text), 0o600),
		os.WriteFile(users, []byte(usersFile(clientUser, s.verifier)), 0o600),
	)
	if err != nil {
		return nil, fmt.Errorf("configure usher: %w", err)
	}
	cmd := exec.Command(o.Program, "serve", "--config", config)
	cmd.Dir = folder
	if u.child, err = startChild("usher", cmd, filepath.Join(folder, "usher.log")); err != nil {
		return nil, err
	}
	if err := awaitAnswer(ctx, u); err != nil {
		return nil, errors.Join(fmt.Errorf("start usher: %w", err), u.stop())
	}
	return u, nil
}

func (u *usher) name() string     { return "usher" }
func (u *usher) version() string  { return u.release }
func (u *usher) namesLanes() bool { return true }
func (u *usher) process() *child  { return u.child }
func (u *usher) address() string  { return net.JoinHostPort("127.0.0.1", strconv.Itoa(u.port)) }

// stop ends it at once: who is still connected is of no interest.
func (u *usher) stop() error {
	u.client.CloseIdleConnections()
	return u.child.stop(syscall.SIGQUIT)
}

// read asks its JSON API.
func (u *usher) read(ctx context.Context, name string) (reading, error) {
	address := fmt.Sprintf("http://127.0.0.1:%d/api/v1/status?sections=pools,acquisitions", u.http)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return reading{}, fmt.Errorf("ask usher for its status: %w", err)
	}
	response, err := u.client.Do(request)
	if err != nil {
		return reading{}, fmt.Errorf("ask usher for its status: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return reading{}, fmt.Errorf("ask usher for its status: %s", response.Status)
	}
	var shot status.Snapshot
	if err := json.NewDecoder(response.Body).Decode(&shot); err != nil {
		return reading{}, fmt.Errorf("read usher's status: %w", err)
	}
	return readingOf(&shot, name), nil
}

// readingOf takes a pool out of a snapshot. A pool that nobody has asked for yet is not there and reads as zero.
func readingOf(shot *status.Snapshot, name string) reading {
	r := reading{at: shot.Now}
	for _, p := range shot.Pools {
		if p.Name != name {
			continue
		}
		r.busy += p.Servers.Active + p.Servers.BeingCanceled + p.Servers.Tested
		r.idle += p.Servers.Idle
		r.opening += p.Servers.Login
		r.reserveUsed += p.ReserveUsed
		for _, l := range p.Lanes {
			if lane, err := pool.ParseLane(l.Name); err == nil {
				r.waiting[lane] += l.Waiting
				r.emergencies[lane] += l.Emergencies
			}
		}
	}
	r.open = r.busy + r.idle
	for _, a := range shot.Acquisitions {
		if lane, err := pool.ParseLane(a.Lane); err == nil && a.Pool == name {
			r.acquisition[lane] = r.acquisition[lane].And(a.Buckets)
		}
	}
	return r
}
