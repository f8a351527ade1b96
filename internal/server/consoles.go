package server

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/console"
	"github.com/usher-pg/usher/internal/login"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/status"
)

const (
	// maxConsoles bounds the clients of the console, each of which has a goroutine. They are not among
	// limits.max_clients: an operator must get in when that limit is reached.
	maxConsoles = 100
	// consoleNode is the node number in the process IDs of their cancel keys. The relay's have seven bits for
	// it, of which the highest number is nobody's.
	consoleNode = 127
	nodeShift   = 24
	secretLen   = 4 // of protocol 3.0, which 3.2 allows too
)

// consoles are the clients of the console.
type consoles struct {
	ctl  status.Controller
	log  *slog.Logger
	ctx  context.Context // ends when they are to end
	wait sync.WaitGroup

	// mutex guards what follows.
	mutex sync.Mutex
	next  uint32
	byID  map[uint32]*consoleClient
}

type consoleClient struct {
	secret   []byte
	canceled chan struct{}
}

// seat lets a client on the console, which serves it on a goroutine of its own.
func (cs *consoles) seat(c *login.Client, conf *config.Config) error {
	permission := permissionOf(conf, c.User, c.Remote)
	switch {
	case permission == 0:
		return pgerr.NotAllowedOnConsole.With(c.User)
	case c.Replication != "":
		return pgerr.ReplicationNotAllowed.With(c.Database)
	}
	id, client := cs.add()
	if client == nil {
		return pgerr.TooManyClients.With()
	}
	if err := c.Welcome(console.Parameters(), id, client.secret); err != nil {
		cs.remove(id)
		return err
	}
	var conn net.Conn = c.Carrier
	if c.TLS != nil {
		conn = c.TLS
	}
	session := console.Session{
		User: c.User, Database: c.Database, Permission: permission, Canceled: client.canceled,
		Log: cs.log.With("console", c.Remote.String()), Remote: c.Remote,
	}
	_ = c.Carrier.SetDeadline(time.Time{}) // that of the login
	cs.wait.Go(func() {
		defer cs.remove(id)
		if err := console.Serve(cs.ctx, conn, session, cs.ctl); err != nil && cs.ctx.Err() == nil {
			session.Log.Info("console client lost", "error", err)
		}
		_ = c.Close()
	})
	return nil
}

// add finds a place, or none.
func (cs *consoles) add() (uint32, *consoleClient) {
	cs.mutex.Lock()
	defer cs.mutex.Unlock()
	if len(cs.byID) >= maxConsoles || cs.ctx.Err() != nil {
		return 0, nil
	}
	id := uint32(0)
	for taken := true; taken; _, taken = cs.byID[id] {
		cs.next = (cs.next + 1) & (1<<nodeShift - 1)
		id = consoleNode<<nodeShift | cs.next
	}
	c := &consoleClient{secret: make([]byte, secretLen), canceled: make(chan struct{}, 1)}
	_, _ = rand.Read(c.secret) // never fails, see crypto/rand
	cs.byID[id] = c
	return id, c
}

func (cs *consoles) remove(id uint32) {
	cs.mutex.Lock()
	defer cs.mutex.Unlock()
	delete(cs.byID, id)
}

// cancel tells a client of the console that what it waits for is canceled. It reports whether the key is a
// console's.
func (cs *consoles) cancel(processID uint32, secret []byte) bool {
	if processID>>nodeShift != consoleNode {
		return false
	}
	cs.mutex.Lock()
	defer cs.mutex.Unlock()
	c := cs.byID[processID]
	if c == nil || subtle.ConstantTimeCompare(secret, c.secret) != 1 {
		return true
	}
	select {
	case c.canceled <- struct{}{}:
	default: // it has been told already
	}
	return true
}
