package routing

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/usher-pg/usher/internal/backend"
	"github.com/usher-pg/usher/internal/wire"
)

// maxVetted bounds what a pool remembers of its clients' start-up parameters; more than that are not vetted.
// Clients have few different ones: those of the applications that use the database.
const maxVetted = 500

// vetting is which start-up parameters the server of a pool takes.
//
// PostgreSQL refuses a client that asks for a parameter it does not have, or a value that is none. usher
// knows neither the parameters nor the values of a server and its extensions, and would learn it at the
// client's first statement only. So the first client with a parameter has it tried: in the start-up packet of
// a server connection that is closed at once. (A table of PostgreSQL's parameters would be wrong with the
// next version.)
type vetting struct {
	turn chan struct{} // holds a value while a server connection is tried

	// mutex guards known.
	mutex sync.Mutex
	known map[wire.Param]struct{}
}

func newVetting() *vetting {
	return &vetting{turn: make(chan struct{}, 1), known: map[wire.Param]struct{}{}}
}

// unknown are the parameters that have not been tried.
func (v *vetting) unknown(params []wire.Param) []wire.Param {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	var found []wire.Param
	for _, p := range params {
		p.Name = strings.ToLower(p.Name)
		if p.Name == "application_name" || strings.Contains(p.Name, ".") { // takes everything; a custom one
			continue
		}
		if _, ok := v.known[p]; !ok && len(v.known) < maxVetted {
			found = append(found, p)
		}
	}
	return found
}

// forget is for a pool that leads to another server now.
func (v *vetting) forget() {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	clear(v.known)
}

func (v *vetting) add(params []wire.Param) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	for _, p := range params {
		v.known[p] = struct{}{}
	}
}

// vet returns the server's error if it does not take the parameters. When it cannot be asked they pass.
func (v *vetting) vet(ctx context.Context, dial *backend.Config, params []wire.Param) error {
	if len(v.unknown(params)) == 0 {
		return nil
	}
	select {
	case v.turn <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	defer func() { <-v.turn }()
	untried := v.unknown(params) // less than before if somebody else had the same
	if len(untried) == 0 {
		return nil
	}
	try := *dial
	try.Params = ownParams(dial.Params, untried)
	conn, err := backend.Dial(ctx, &try)
	if err != nil {
		return refusedParameter(err)
	}
	v.add(untried)
	_ = conn.Close()
	return nil
}

// refusedParameter is err if it is about a parameter, and not about something that has nothing to do with the
// client.
func refusedParameter(err error) error {
	refusal, ok := errors.AsType[*backend.ServerError](err)
	if !ok || len(refusal.Code()) != sqlstateLen {
		return nil
	}
	switch refusal.Code()[:2] {
	case "22", "42", "55": // data exception; access rule violation; object not in prerequisite state
		return refusal
	}
	return nil
}

// ownParams are the start-up parameters of a server connection that is one client's own: the pool's, and what
// the client asked for.
func ownParams(params, own []wire.Param) []wire.Param {
	all := append([]wire.Param(nil), params...)
	for _, o := range own {
		i := 0
		for i < len(all) && !strings.EqualFold(all[i].Name, o.Name) {
			i++
		}
		if i < len(all) {
			all[i] = o
		} else {
			all = append(all, o)
		}
	}
	return all
}
