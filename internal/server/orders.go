package server

import (
	"context"
	"sync"

	"github.com/usher-pg/usher/internal/status"
)

// orders are what an operator has ordered and not taken back. They survive a reload, and hold for pools that
// are made later.
type orders struct {
	// mutex guards what follows.
	mutex     sync.Mutex
	allPaused bool
	pausedOne map[string]bool
	disabled  map[string]bool
	suspended chan struct{} // closed when the suspension ends; nil without one
	shutdown  status.ShutdownMode
}

func newOrders() *orders {
	return &orders{pausedOne: map[string]bool{}, disabled: map[string]bool{}}
}

// state is what usher as a whole does.
func (o *orders) state() status.State {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	switch {
	case o.shutdown != "":
		return status.ShuttingDown
	case o.suspended != nil:
		return status.Suspended
	case o.allPaused:
		return status.Paused
	}
	return status.Active
}

func (o *orders) paused(database string) bool {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.allPaused || o.pausedOne[database]
}

func (o *orders) isDisabled(database string) bool {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.disabled[database]
}

// concern reports whether an order may keep clients of a database from a seat, for now or for good.
func (o *orders) concern(database string) bool {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.shutdown != "" || o.suspended != nil || o.disabled[database]
}

// pause notes PAUSE or KILL, which leaves paused, of one database or, if it is empty, of all.
func (o *orders) pause(database string) error {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	switch {
	case o.shutdown != "":
		return status.ErrShuttingDown
	case o.suspended != nil || o.allPaused:
		return status.ErrAlreadyPaused
	case database == "":
		o.allPaused = true
	default:
		o.pausedOne[database] = true
	}
	return nil
}

// resume notes RESUME. wasSuspended tells that the relay is to read again.
func (o *orders) resume(database string) (wasSuspended bool, err error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	switch {
	case o.shutdown != "" && o.shutdown != status.ShutdownWaitForClients: // which held clients hold up
		return false, status.ErrShuttingDown
	case database != "" && !o.allPaused && !o.pausedOne[database]:
		return false, status.PoolNotPaused(database)
	case database != "" && o.allPaused:
		return false, status.Refuse(status.WrongState, "all databases are paused, use RESUME")
	case database != "":
		delete(o.pausedOne, database)
		return false, nil
	case o.suspended == nil && !o.allPaused && len(o.pausedOne) == 0:
		return false, status.ErrNotPaused
	}
	o.allPaused = false
	clear(o.pausedOne)
	if o.suspended == nil {
		return false, nil
	}
	close(o.suspended)
	o.suspended = nil
	return true, nil
}

func (o *orders) disable(database string, yes bool) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if yes {
		o.disabled[database] = true
	} else {
		delete(o.disabled, database)
	}
}

func (o *orders) suspend() error {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	switch {
	case o.shutdown != "":
		return status.ErrShuttingDown
	case o.suspended != nil || o.allPaused:
		return status.ErrAlreadyPaused
	case len(o.pausedOne) > 0:
		return status.ErrPausedPools
	}
	o.suspended = make(chan struct{})
	return nil
}

// awaitUnsuspended returns when usher is not suspended.
func (o *orders) awaitUnsuspended(ctx context.Context) error {
	o.mutex.Lock()
	suspended := o.suspended
	o.mutex.Unlock()
	if suspended == nil {
		return nil
	}
	select {
	case <-suspended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// strength orders the modes of a shutdown by how little they wait.
var strength = map[status.ShutdownMode]int{
	status.ShutdownWaitForClients: 1,
	status.ShutdownWaitForServers: 2,
	status.ShutdownImmediate:      3,
}

// shutDown notes SHUTDOWN. One that is under way can only become quicker.
func (o *orders) shutDown(mode status.ShutdownMode) error {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if strength[mode] <= strength[o.shutdown] && mode != status.ShutdownImmediate {
		return status.ErrShuttingDown
	}
	o.shutdown = mode
	return nil
}

// ending is the mode of the shutdown that is under way, or empty.
func (o *orders) ending() status.ShutdownMode {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.shutdown
}
