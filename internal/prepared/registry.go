package prepared

import (
	"errors"
	"hash/maphash"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/usher-pg/usher/internal/lanes"
	"github.com/usher-pg/usher/internal/session"
	"github.com/usher-pg/usher/internal/wire"
)

const (
	// shardCount spreads the lock of the registry; it is more than there are event loops.
	shardCount = 16

	// statementOverhead is counted for each statement besides its text: the struct, the name, the entry in
	// the map.
	statementOverhead = 256

	// MaxRegistryBytes bounds the statements of all clients together. A platform with ten services and 5,000
	// statements of 1 kB each uses 50 MB of it.
	MaxRegistryBytes = 256 << 20

	// MaxStatementBytes bounds the text and types of one statement that is shared. PostgreSQL allows 1 GB.
	MaxStatementBytes = 1 << 20
)

// The reasons for which a statement is not kept.
var (
	ErrRegistryFull = errors.New("too many different prepared statements")
	ErrTooLong      = errors.New("prepared statement is too long")
)

// key is what makes a statement different from others. body is a Parse message without the name: the text, a
// zero byte, the types.
type key struct {
	reading string
	body    string
}

// Registry holds every statement that a client or a server connection knows. It is safe for several event
// loops.
type Registry struct {
	seed   maphash.Seed
	nextID atomic.Uint64
	bytes  atomic.Int64
	count  atomic.Int64
	limit  int64
	shards [shardCount]shard
}

// shard is a part of the statements, by hash of their text.
type shard struct {
	// mutex guards statements and takes references from zero. Nothing slow is done under it.
	mutex      sync.Mutex
	statements map[key]*Statement
}

// NewRegistry makes an empty registry.
func NewRegistry() *Registry {
	r := &Registry{seed: maphash.MakeSeed(), limit: MaxRegistryBytes}
	for i := range r.shards {
		r.shards[i].statements = make(map[key]*Statement)
	}
	return r
}

// Intern returns the statement for a Parse message, whose body is the message without the name (as Body cuts
// it), and how the server reads it (session.Settings.Reading). The caller holds one reference to it.
func (r *Registry) Intern(body []byte, reading string) (*Statement, error) {
	if len(body) > MaxStatementBytes {
		return nil, ErrTooLong
	}
	sh := r.shard(body)
	sh.mutex.Lock()
	s := sh.statements[key{reading, string(body)}]
	if s != nil {
		s.references.Add(1)
	}
	sh.mutex.Unlock()
	if s != nil {
		return s, nil
	}
	return r.add(sh, body, reading)
}

func (r *Registry) shard(body []byte) *shard {
	return &r.shards[maphash.Bytes(r.seed, body)%shardCount]
}

// add makes a new statement, unless another loop has made it meanwhile.
func (r *Registry) add(sh *shard, body []byte, reading string) (*Statement, error) {
	length, err := textLength(body)
	if err != nil {
		return nil, err
	}
	k := key{reading, string(body)}
	s := &Statement{key: k, length: length, registry: r, shard: sh, finding: session.Scan(body[:length])}
	if s.finding != 0 {
		s.sql = []byte(s.Text())
	}
	s.lane, s.asks = lanes.Asked(body[:length])
	s.references.Store(1)
	sh.mutex.Lock()
	defer sh.mutex.Unlock()
	if found := sh.statements[k]; found != nil {
		found.references.Add(1)
		return found, nil
	}
	if r.bytes.Add(int64(s.Size())) > r.limit {
		r.bytes.Add(-int64(s.Size()))
		return nil, ErrRegistryFull
	}
	r.count.Add(1)
	s.id = r.nextID.Add(1)
	s.name = namePrefix + strconv.FormatUint(s.id, 10)
	sh.statements[k] = s
	return s, nil
}

// forget drops a statement nobody holds, unless somebody has taken it again. A retired one has left the map
// already.
func (r *Registry) forget(s *Statement) {
	sh := s.shard
	sh.mutex.Lock()
	defer sh.mutex.Unlock()
	if s.references.Load() != 0 || sh.statements[s.key] != s {
		return
	}
	delete(sh.statements, s.key)
	r.bytes.Add(-int64(s.Size()))
	r.count.Add(-1)
}

// Retire makes the next Parse of the statement's text a new statement. Who holds the old one keeps it.
func (r *Registry) Retire(s *Statement) {
	sh := s.shard
	sh.mutex.Lock()
	defer sh.mutex.Unlock()
	if s.retired.Swap(true) || sh.statements[s.key] != s {
		return
	}
	delete(sh.statements, s.key)
	r.bytes.Add(-int64(s.Size()))
	r.count.Add(-1)
}

// Len is the number of different statements, without the retired ones.
func (r *Registry) Len() int { return int(r.count.Load()) }

// Bytes is the memory the statements are counted with.
func (r *Registry) Bytes() int { return int(r.bytes.Load()) }

// Body cuts the body of a Parse message into the name and what Intern takes. It does not check the types;
// Intern does.
func Body(parse []byte) (name, body []byte, err error) {
	name, text, types, err := wire.ParseParts(parse)
	if err != nil {
		return nil, nil, err
	}
	return name, parse[len(parse)-len(text)-1-len(types):], nil
}
