package relay

import "github.com/usher-pg/usher/internal/prepared"

// expect is what a request that was sent to the server is to be answered with.
type expect uint8

const (
	expectQuery    expect = iota + 1 // anything, then ReadyForQuery
	expectFunction                   // FunctionCallResponse, then ReadyForQuery
	expectParse                      // ParseComplete
	expectBind                       // BindComplete
	expectDescribe                   // ParameterDescription perhaps, then RowDescription or NoData
	expectExecute                    // rows or COPY, then CommandComplete, EmptyQueryResponse or PortalSuspended
	expectClose                      // CloseComplete
	expectSync                       // ReadyForQuery
	expectCopyEnd                    // nothing: CopyDone or CopyFail, sent before the server said that it wants COPY data
)

// manner says how a reply reaches the client.
type manner uint8

const (
	forwarded manner = iota
	hidden           // the request was usher's own: its reply is swallowed
	faked            // the request never left usher: the reply is made up when its turn comes
)

// reply is a reply that is outstanding. It is half a cache line: a batch of the extended protocol has five of them, and
// by the time they have come the caches have been somebody else's.
type reply struct {
	statement *prepared.Statement // that the message is about
	called    *called             // nil if that does not matter
	number    uint32              // which of the client's unnamed statements
	expect    expect
	manner    manner
	taken     bool // the client has another statement of that name
	drops     bool // the client has the statement no more, unless this is refused
	clears    bool // all prepared statements, unless this is refused
}

// called is what a message calls its statement.
type called struct {
	name  string // by the client
	alias string // by the server, if an error may say so
}

// name is what the client calls the statement.
func (r *reply) name() string {
	if r.called == nil {
		return ""
	}
	return r.called.name
}

// alias is what the server calls the statement.
func (r *reply) alias() string {
	if r.called == nil {
		return ""
	}
	return r.called.alias
}

// repliesMax bounds how far a client may pipeline: its input is not read beyond.
const repliesMax = 4096

// replies is the queue of replies outstanding on a server connection, oldest first. The order is what makes swallowed
// and made-up replies safe: each stands between the real ones it belongs between (traps 9 to 11).
type replies struct {
	ring  []reply // length is a power of two
	first int
	count int
	ready int // how many of them end with ReadyForQuery
}

func (q *replies) push(r reply) {
	if q.count == len(q.ring) {
		bigger := make([]reply, max(16, 2*len(q.ring)))
		for i := range q.count {
			bigger[i] = q.ring[(q.first+i)&(len(q.ring)-1)]
		}
		q.ring, q.first = bigger, 0
	}
	q.ring[(q.first+q.count)&(len(q.ring)-1)] = r
	q.count++
	if r.expect.endsReady() {
		q.ready++
	}
}

func (e expect) endsReady() bool { return e == expectQuery || e == expectFunction || e == expectSync }

// head is the oldest one; its zero value when there is none.
func (q *replies) head() *reply {
	if q.count == 0 {
		return &noReply
	}
	return &q.ring[q.first]
}

var noReply reply // never written to

func (q *replies) pop() reply {
	r := q.ring[q.first]
	q.ring[q.first] = reply{}
	q.first = (q.first + 1) & (len(q.ring) - 1)
	if q.count--; q.count == 0 {
		q.first = 0 // the same few again: they may still be in a cache
	}
	if r.expect.endsReady() {
		q.ready--
	}
	return r
}

// at is the i-th oldest.
func (q *replies) at(i int) *reply { return &q.ring[(q.first+i)&(len(q.ring)-1)] }

// removeSecond forgets the second oldest.
func (q *replies) removeSecond() {
	head := q.pop()
	q.pop()
	q.first = (q.first - 1) & (len(q.ring) - 1)
	q.ring[q.first] = head
	q.count++
	if head.expect.endsReady() {
		q.ready++
	}
}

// copyBegins forgets the Syncs sent behind the request at the head, which turned out to be a COPY from the client: the
// server ignores them. It reports whether the end of the COPY data has been sent already.
func (q *replies) copyBegins() (ended bool) {
	for q.count > 1 && q.at(1).expect == expectSync {
		q.removeSecond()
	}
	if q.count > 1 && q.at(1).expect == expectCopyEnd {
		q.removeSecond()
		return true
	}
	return false
}

// open reports whether the last message of the extended protocol is part of a batch whose Sync has not been sent.
func (q *replies) open() bool {
	for i := q.count - 1; i >= 0; i-- {
		switch e := q.at(i).expect; {
		case e == expectSync:
			return false
		case e != expectCopyEnd && !e.endsReady():
			return true
		}
	}
	return false
}

// about is the last outstanding message that gives or takes name, nil if none does. synced: it is a Query, or part of a
// batch whose Sync has been sent, so that it may still fail without taking what follows with it.
func (q *replies) about(name []byte) (last *reply, synced bool) {
	for i := q.count - 1; i >= 0; i-- {
		r := q.at(i)
		synced = synced || r.expect.endsReady()
		if r.name() == string(name) && r.expect != expectBind && r.expect != expectDescribe && !r.taken {
			return r, synced
		}
	}
	return nil, false
}

// prepares reports whether a statement is being prepared in a batch whose Sync has been sent.
func (q *replies) prepares(statement *prepared.Statement) bool {
	synced := false
	for i := q.count - 1; i >= 0; i-- {
		r := q.at(i)
		synced = synced || r.expect.endsReady()
		if synced && r.expect == expectParse && r.statement == statement {
			return true
		}
	}
	return false
}

// clears reports whether a statement under way is to drop all prepared statements.
func (q *replies) clears() bool {
	for i := range q.count {
		if q.at(i).clears {
			return true
		}
	}
	return false
}

func (q *replies) full() bool { return q.count >= repliesMax }

func (q *replies) clear() {
	for q.count > 0 {
		q.pop()
	}
}
