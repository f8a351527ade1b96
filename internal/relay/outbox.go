package relay

import (
	"cmp"
	"log/slog"
	"syscall"

	"github.com/usher-pg/usher/internal/reactor"
	"github.com/usher-pg/usher/internal/socket"
)

// outbox is what a loop sends when its turn ends, or when the outbox is full, in one system call: small pieces, at most
// one for each conn.
//
// A send wakes who waits for it, and where that is a process of the same machine the kernel may run it at once, on the
// way back from the system call. With a call for each piece the loop lost its processor at every third transaction; now
// it does so at every ninth, and a transaction costs 0.8 times the CPU (docs/adr/0008-batches.md).
type outbox struct {
	log      *slog.Logger
	batch    *socket.Batch // nil: nothing is kept, every piece is sent at once
	worth    int           // how many operations are worth a batch
	arena    []byte
	used     int // bytes of arena
	conns    [outboxPieces]*conn
	pieces   [outboxPieces][]byte // in arena
	secured  [outboxPieces]bool   // TLS made it
	count    int
	flushes  uint32          // how often it was emptied
	troubled []reactor.Token // of conns that did not take all, or are broken
}

const (
	// outboxPieces bounds how long the first piece waits for the others: their share of a turn, some 200 µs. Measured
	// with 9,000 clients: 32 cost a tenth more CPU, 128 the same.
	outboxPieces = 64
	// outboxPiece is what a piece may have. Copying more costs what it saves.
	outboxPiece = 4 << 10
	// outboxWorth is how many pieces are worth a batch. Measured: two cost the same either way.
	outboxWorth = 3
	// keptFrom is at which fetch the kernel begins to keep a socket at hand. That and its end are a system call each,
	// which who comes for one transaction is not worth: a login would cost a twentieth more.
	keptFrom = 3
)

// open makes the outbox keep pieces, if the system can send them in one call. It is called on the loop's thread.
func (o *outbox) open(log *slog.Logger) {
	batch, err := socket.NewBatch(outboxPieces)
	if err != nil {
		log.Info("every message is a system call of its own", "reason", err)
		return
	}
	o.log, o.batch, o.arena = log, batch, make([]byte, outboxPieces*outboxPiece)
	o.worth = cmp.Or(o.worth, outboxWorth)
}

// close sends what is left, and keeps nothing any more.
func (o *outbox) close() {
	o.flush()
	if o.batch != nil {
		o.batch.Close()
		o.batch = nil
	}
}

// remember is called when a conn is fetched: the kernel keeps sockets at hand that are read again and again.
func (o *outbox) remember(c *conn) {
	if c.fetches == keptFrom {
		return
	}
	if c.fetches++; c.fetches == keptFrom {
		o.batch.Keep(c.fd)
	}
}

// forget ends that. It is called when the loop ends to watch a conn, before its descriptor is closed.
func (o *outbox) forget(c *conn) {
	c.fetches = 0
	if o.batch != nil {
		o.batch.Forget(c.fd)
	}
}

// add keeps a piece of a conn that has none here. It reports whether it did.
func (o *outbox) add(c *conn, b []byte) bool {
	if o.batch == nil || len(b) > outboxPiece {
		return false
	}
	if o.count == outboxPieces {
		o.flush()
	}
	piece := o.arena[o.used : o.used+copy(o.arena[o.used:], b)]
	o.used += len(piece)
	o.conns[o.count], o.pieces[o.count], o.secured[o.count] = c, piece, c.secure != nil
	o.count++
	c.filling = o.flushes + 1
	return true
}

// holds reports whether a piece of a conn is here. The number of the filling says so, and not a mark on the conn that
// would have to be taken off again: by the time a piece is sent, its conn is in no cache. A number that comes round
// again costs a flush.
func (o *outbox) holds(c *conn) bool { return c.filling == o.flushes+1 }

// flush sends all pieces.
func (o *outbox) flush() {
	n := o.count
	o.count, o.used = 0, 0
	o.flushes++
	if n < o.worth || o.batch == nil {
		for i := range n {
			sent, errno := socket.Send(o.conns[i].fd, o.pieces[i])
			o.sent(i, sent, errno)
		}
		return
	}
	for i := range n {
		o.batch.Send(o.conns[i].fd, o.pieces[i])
	}
	if err := o.batch.Run(o.sent); err != nil {
		o.failed(err)
	}
}

// failed ends the use of a batch that is of no use any more.
func (o *outbox) failed(err error) {
	o.log.Error("every message is a system call of its own from now on", "reason", err)
	o.batch.Close()
	o.batch = nil
}

// sent notes what has become of a piece.
func (o *outbox) sent(i, n int, errno syscall.Errno) {
	c, b := o.conns[i], o.pieces[i]
	o.conns[i] = nil
	if n == len(b) && !o.secured[i] {
		return
	}
	c.keep(b[c.taken(n, errno):])
	if c.lost != nil || c.pending() > 0 {
		o.troubled = append(o.troubled, c.token)
	}
}

// finish sends what a turn has left, and sees to the conns that did not take it.
func (l *loop) finish() {
	o := &l.outbox
	for o.count > 0 || len(o.troubled) > 0 {
		o.flush()
		troubled := o.troubled
		o.troubled = nil
		for _, token := range troubled {
			switch at := l.slots.get(token); {
			case at.client != nil:
				at.client.check()
			case at.server != nil:
				at.server.check()
			}
		}
		l.deliver()
	}
}
