package relay

import (
	"github.com/usher-pg/usher/internal/session"
	"github.com/usher-pg/usher/internal/wire"
)

// beginning is what a client's session begins with, and what its welcome says.
type beginning struct {
	settings *session.Settings
	welcome  []wire.Param
}

// beginnings are those of a pool's clients, by their start-up parameters: 10,000 clients that log in at once ask for a
// handful of different things. It took 9 % of a login's CPU to work them out each time.
type beginnings map[string]beginning

// beginningsMax bounds what hostile clients can make a pool remember.
const beginningsMax = 256

// begin is what a client with these start-up parameters begins with.
func (p *Pool) begin(reported, startup []wire.Param) (beginning, error) {
	var key []byte
	for _, param := range startup {
		key = append(append(append(append(key, param.Name...), 0), param.Value...), 0)
	}
	p.mutex.Lock()
	b, ok := p.begun[string(key)]
	p.mutex.Unlock()
	if ok {
		return b, nil
	}
	settings, welcome, err := session.Welcome(reported, startup)
	if err != nil {
		return beginning{}, err
	}
	b = beginning{settings, welcome}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.begun == nil || len(p.begun) >= beginningsMax {
		p.begun = beginnings{}
	}
	if len(p.params) > 0 && len(reported) > 0 && &p.params[0] == &reported[0] {
		p.begun[string(key)] = b
	}
	return b, nil
}
