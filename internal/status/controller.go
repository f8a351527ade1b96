package status

import (
	"context"
	"fmt"
)

// Source gives snapshots. It is all that metrics and web pages need.
type Source interface {
	// Snapshot gathers the sections asked for. It returns an error only when ctx ends first.
	Snapshot(ctx context.Context, sections Sections) (*Snapshot, error)
}

// Controller is what an operator can do. A pool is named as a client would name its database; "" means all.
//
// A command that cannot be carried out returns a *Refusal. Commands that wait return ctx's error when ctx ends first;
// what they began (the pause, the wish to close) stays in force, and Resume undoes it.
type Controller interface {
	Source

	// Pause lets running transactions (sessions, in session mode) finish, holds requests that begin, closes the idle
	// server connections, and returns when none is left. Clients stay connected and new ones are let in.
	Pause(ctx context.Context, pool string) error
	// Resume ends Pause, Kill and Suspend.
	Resume(ctx context.Context, pool string) error
	// Disable refuses new clients of a pool.
	Disable(ctx context.Context, pool string) error
	// Enable ends Disable.
	Enable(ctx context.Context, pool string) error
	// Reconnect replaces every server connection that is open now as soon as it is free.
	Reconnect(ctx context.Context, pool string) error
	// Kill drops every client and server connection of a pool at once and leaves it paused.
	Kill(ctx context.Context, pool string) error
	// WaitClose returns when every server connection that Reconnect, Reload or an error marked has closed.
	WaitClose(ctx context.Context, pool string) error

	// BeginEmergency opens the reserve of a pool to more lanes for a time; a later order replaces an earlier one.
	BeginEmergency(ctx context.Context, order EmergencyOrder) error
	// EndEmergency ends what BeginEmergency began.
	EndEmergency(ctx context.Context, pool, by string) error

	// Scale gives a pool a target for a time, in place of what is expected and measured; a later order replaces an
	// earlier one.
	Scale(ctx context.Context, order ScaleOrder) error
	// EndScale takes back what Scale has set.
	EndScale(ctx context.Context, pool, by string) error

	// KillClient drops one client.
	KillClient(ctx context.Context, id uint64) error
	// Suspend stops reading from all sockets and returns when everything usher had read is sent.
	Suspend(ctx context.Context) error
	// Reload reads the configuration again and applies it. After an error the old one is still in force.
	Reload(ctx context.Context) error
	// Set changes one option until the next Reload or restart.
	Set(ctx context.Context, key, value string) error
	// Shutdown begins to end usher and returns at once.
	Shutdown(ctx context.Context, mode ShutdownMode) error
}

// ShutdownMode is what a shutdown waits for.
type ShutdownMode string

// The modes of a shutdown. The strings are the console's words.
const (
	ShutdownImmediate      ShutdownMode = "IMMEDIATE"
	ShutdownWaitForServers ShutdownMode = "WAIT_FOR_SERVERS" // as Pause, then end
	ShutdownWaitForClients ShutdownMode = "WAIT_FOR_CLIENTS" // no new clients, end when the last has left
)

// Refusal is why a command of a Controller was not carried out. Its text is for the operator who gave the command.
type Refusal struct {
	Cause Cause
	Text  string
}

// Cause classifies refusals; the console turns it into an SQLSTATE.
type Cause int

// The causes of a refusal.
const (
	NoSuchPool    Cause = iota + 1
	NoSuchClient        // KillClient
	NoSuchOption        // Set
	WrongState          // as "not paused"
	NotChangeable       // Set of an option that needs a restart
	InvalidValue        // Set, BeginEmergency
	InvalidConfig       // Reload
	NotSupported
)

// Error is the text alone: the console shows it as it is.
func (r *Refusal) Error() string { return r.Text }

// Refuse makes a Refusal.
func Refuse(cause Cause, format string, args ...any) error {
	return &Refusal{Cause: cause, Text: fmt.Sprintf(format, args...)}
}

// Refusals whose texts tools know from PgBouncer.
var (
	ErrClientNotFound = Refuse(NoSuchClient, "client not found")
	ErrAlreadyPaused  = Refuse(WrongState, "already suspended/paused")
	ErrNotPaused      = Refuse(WrongState, "pooler is not paused/suspended")
	ErrShuttingDown   = Refuse(WrongState, "pooler is shutting down")
	ErrPausedPools    = Refuse(WrongState, "cannot suspend with paused databases")
)

// NoPool refuses a pool name that is unknown, in PgBouncer's words.
func NoPool(name string) error { return Refuse(NoSuchPool, "no such database: %s", name) }

// PoolNotPaused refuses to resume a pool that runs, in PgBouncer's words.
func PoolNotPaused(name string) error { return Refuse(WrongState, "database %s is not paused", name) }
