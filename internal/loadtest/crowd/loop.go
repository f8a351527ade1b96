package crowd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/reactor"
	"github.com/usher-pg/usher/internal/socket"
	"github.com/usher-pg/usher/internal/wire"
	"github.com/usher-pg/usher/pool"
)

const (
	// scratchSize is how much is read from a client at once.
	scratchSize = 64 << 10
	// maxMessage bounds the messages the crowd takes.
	maxMessage = 1 << 20
	// tick is how often the loop looks for logins that take too long.
	tick = 100 * time.Millisecond
	// retryPause is how long a client stays away that was thrown out or not let in.
	retryPause = 100 * time.Millisecond
)

// loop is the crowd. Everything in it belongs to the reactor's goroutine.
type loop struct {
	*reactor.Loop
	report func(Report)
	alarm  alarm

	clients []client
	count   [places]int
	idle    [pool.Lanes]ring[chair]

	doors   *doors
	run     *run
	runs    int
	holding *hold
	letGo   bool // transactions end as soon as they have begun

	address     unix.Sockaddr
	credentials *auth.Credentials
	nextTick    time.Duration
	random      *rand.Rand
	scratch     []byte
	message     []byte // to build one in
}

// chair is an idle client. The epoch tells whether it is still the same socket that is idle.
type chair struct {
	seat  int
	epoch uint32
}

func newLoop(report func(Report)) (*loop, error) {
	l := &loop{report: report, scratch: make([]byte, scratchSize), random: rand.New(rand.NewPCG(0, 0))}
	var err error
	if l.Loop, err = reactor.New(l, time.Now()); err != nil {
		return nil, err
	}
	if err := l.alarm.open(l.Loop); err != nil {
		return nil, err
	}
	return l, nil
}

// obey begins a command.
func (l *loop) obey(c Command) {
	var err error
	switch {
	case l.run != nil || l.holding != nil || l.doors != nil && !l.doors.told:
		err = errors.New("a command is under way")
	case c.Connect != nil:
		err = l.connect(c.Connect)
	case c.Run != nil:
		err = l.begin(c.Run)
	case c.Hold != nil:
		err = l.hold(c.Hold)
	case c.Release:
		l.release()
	case c.Leave:
		l.leave()
		l.report(Report{Done: true})
	default:
		err = errors.New("an empty command")
	}
	if err != nil {
		l.report(Report{Error: err.Error(), Done: true})
	}
}

// Ready hands events to the clients they are about.
func (l *loop) Ready(ready []reactor.Readiness) {
	for _, r := range ready {
		if r.Token == alarmToken {
			l.alarm.rang()
			continue
		}
		seat, ok := l.find(r.Token)
		switch {
		case !ok:
		case l.clients[seat].place == connecting:
			l.connected(seat)
		default:
			l.read(seat)
		}
	}
}

// Turn does what is due.
func (l *loop) Turn() time.Duration {
	now := l.Now()
	if now >= l.nextTick {
		l.nextTick = now + tick
		l.endSlowLogins(now)
		if l.holding != nil && now >= l.holding.deadline {
			l.endHold()
		}
	}
	l.fill(now)
	wake := l.nextTick
	if l.run != nil {
		wake = min(wake, l.advance(now))
	}
	return l.alarm.until(l.Now(), wake)
}

// read takes what a client has got.
func (l *loop) read(seat int) {
	c := &l.clients[seat]
	n, errno := socket.Receive(c.fd, l.scratch)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return
	case errno != 0:
		l.lost(seat, "connection lost: "+errno.Error())
		return
	case n == 0:
		l.lost(seat, "the server closed the connection")
		return
	}
	data := l.scratch[:n]
	if len(c.part) > 0 {
		c.part = append(c.part, data...)
		data = c.part
	}
	epoch := c.epoch
	for {
		t, length, ok := wire.Header(data)
		if ok && (length < wire.HeaderLen || length > maxMessage) {
			l.lost(seat, fmt.Sprintf("message %v of %d bytes", t, length))
			return
		}
		if !ok || len(data) < length {
			break
		}
		l.handle(seat, t, data[wire.HeaderLen:length])
		if c.epoch != epoch || c.place == away {
			return
		}
		data = data[length:]
	}
	if len(data) == 0 {
		c.part = nil // nothing is kept for an idle client
	} else {
		c.part = append(c.part[:0], data...)
	}
}

// handle takes one message.
func (l *loop) handle(seat int, t wire.Type, body []byte) {
	c := &l.clients[seat]
	switch t {
	case wire.Authentication:
		if c.place == entering {
			l.authenticate(seat, body)
		}
	case wire.ErrorResponse:
		c.failed, c.failure = true, refusalOf(body)
	case wire.DataRow:
		if c.place == busy {
			c.beganWall = beganAt(body, l.run.command.Work.BeganColumn)
		}
	case wire.ReadyForQuery:
		if len(body) == 1 {
			l.ready(seat, body[0])
		}
	}
}

// ready takes a ReadyForQuery: the client is done with what it was at.
func (l *loop) ready(seat int, status byte) {
	c := &l.clients[seat]
	switch c.place {
	case entering:
		l.entered(seat)
	case busy:
		l.answered(seat)
	case beginning, releasing:
		l.holdMoved(seat, status)
	}
}

// rest makes a client idle, and so one that may be given a request.
func (l *loop) rest(seat int) {
	c := &l.clients[seat]
	l.become(c, idle)
	l.idle[c.lane].push(chair{seat, c.epoch})
}

// take finds the client of a lane that has been idle for longest.
func (l *loop) take(lane pool.Lane) (seat int, ok bool) {
	queue := &l.idle[lane]
	for queue.count > 0 {
		ch := queue.pop()
		if c := &l.clients[ch.seat]; c.place == idle && c.epoch == ch.epoch {
			return ch.seat, true
		}
	}
	return 0, false
}

// send writes a message, which a socket that is idle takes as a whole.
func (l *loop) send(seat int, b []byte) bool {
	n, errno := socket.Send(l.clients[seat].fd, b)
	if errno == 0 && n == len(b) {
		return true
	}
	why := "the socket does not take a whole request"
	if errno != 0 {
		why = "connection lost: " + errno.Error()
	}
	l.lost(seat, why)
	return false
}

// lost ends a client's connection and counts what that breaks. The client comes back.
func (l *loop) lost(seat int, why string) {
	c := &l.clients[seat]
	was := c.place
	failure := refusal{message: why}
	if c.failed {
		failure = c.failure
		failure.message += "; " + why
	}
	l.drop(seat)
	switch was {
	case connecting, entering:
		l.loginFailed(seat, failure)
		return
	case busy:
		l.requestFailed(seat, failure)
	case beginning, holding, releasing:
		l.holdSettled()
	}
	l.queue(seat)
}

// drop closes a client's socket.
func (l *loop) drop(seat int) {
	c := &l.clients[seat]
	interest := reactor.Read
	if c.place == connecting {
		interest = reactor.Write
	}
	_ = l.Remove(c.fd, interest)
	_ = unix.Close(c.fd)
	l.become(c, away)
	c.epoch++
	c.failed, c.part, c.responder = false, nil, nil
}

// close closes all sockets of a loop that has ended.
func (l *loop) close() {
	l.alarm.close()
	for i := range l.clients {
		if c := &l.clients[i]; c.place != away {
			_ = unix.Close(c.fd)
		}
	}
}

// leave disconnects everybody, as drivers do it: with a word.
func (l *loop) leave() {
	l.doors = nil
	goodbye := wire.AppendEmpty(nil, wire.Terminate)
	for seat := range l.clients {
		if c := &l.clients[seat]; c.place != away {
			_, _ = socket.Send(c.fd, goodbye)
			l.drop(seat)
		}
	}
	l.clients, l.count = nil, [places]int{}
	for lane := range l.idle {
		l.idle[lane].clear()
	}
}
