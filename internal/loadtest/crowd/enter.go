package crowd

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/reactor"
	"github.com/usher-pg/usher/internal/wire"
	"github.com/usher-pg/usher/pool"
)

// doors is how clients come in, for the first time and again.
type doors struct {
	command  *Connect
	start    time.Duration
	told     bool // Connect is done
	nextTold time.Duration

	waiting  ring[arrivalAtDoor]
	underWay int
	givenUp  int
	logins   pool.Histogram
	failures failures
}

// arrivalAtDoor is a client that wants in, and not before when.
type arrivalAtDoor struct {
	seat int
	due  time.Duration
}

// doorsEvery is how often Connect says how it is going.
const doorsEvery = 200 * time.Millisecond

func (l *loop) connect(c *Connect) error {
	if len(l.clients) > 0 {
		return errors.New("there are clients already")
	}
	if err := c.check(); err != nil {
		return err
	}
	address, err := netip.ParseAddrPort(c.Address)
	if err != nil {
		return fmt.Errorf("address of the pooler: %w", err)
	}
	l.address = sockaddr(address)
	l.credentials = auth.NewCredentials(c.User, auth.PlainSecret(c.Password), nil)
	now := l.Now()
	l.doors = &doors{command: c, start: now, nextTold: now + doorsEvery}
	l.clients = nil
	for _, s := range c.Seats {
		lane, _ := pool.ParseLane(s.Lane) // checked
		for range s.Count {
			l.clients = append(l.clients, client{lane: lane})
		}
	}
	l.count = [places]int{away: len(l.clients)}
	// The lanes come in mixed, as people do.
	for _, seat := range l.random.Perm(len(l.clients)) {
		l.doors.waiting.push(arrivalAtDoor{seat, now})
	}
	return nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// queue lets a client wait at the door.
func (l *loop) queue(seat int) {
	if l.doors != nil {
		l.doors.waiting.push(arrivalAtDoor{seat, l.Now() + retryPause})
	}
}

// fill begins as many logins as may be under way.
func (l *loop) fill(now time.Duration) {
	d := l.doors
	if d == nil {
		return
	}
	for d.underWay < d.command.Parallel && d.waiting.count > 0 && d.waiting.peek().due <= now {
		seat := d.waiting.pop().seat
		d.underWay++
		if err := l.dial(seat, now); err != nil {
			l.loginFailed(seat, refusal{message: err.Error()})
		}
	}
	if d.told {
		return
	}
	if ended := l.inside()+d.givenUp == len(l.clients); ended || now >= d.nextTold {
		d.told, d.nextTold = ended, now+doorsEvery
		l.report(Report{Done: ended, Doors: d.state(l.inside(), now)})
	}
}

// inside is how many clients are logged in.
func (l *loop) inside() int {
	return len(l.clients) - l.count[away] - l.count[connecting] - l.count[entering]
}

// dial begins a connection. A failure leaves the client away.
func (l *loop) dial(seat int, now time.Duration) error {
	c := &l.clients[seat]
	fd, err := openSocket(l.address)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, l.address); err != nil && err != unix.EINPROGRESS {
		_ = unix.Close(fd)
		return fmt.Errorf("connect: %w", err)
	}
	c.fd, c.since = fd, now
	if err := l.Add(fd, l.token(seat), reactor.Write); err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("watch a socket: %w", err)
	}
	l.become(c, connecting)
	return nil
}

func openSocket(to unix.Sockaddr) (int, error) {
	family := unix.AF_INET
	if _, ok := to.(*unix.SockaddrInet6); ok {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0, fmt.Errorf("open a socket: %w", err)
	}
	unix.CloseOnExec(fd)
	err = errors.Join(
		unix.SetNonblock(fd, true),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), // as every driver does
	)
	if err != nil {
		_ = unix.Close(fd)
		return 0, fmt.Errorf("open a socket: %w", err)
	}
	return fd, nil
}

// connected is called when the kernel has connected a client, or has given up.
func (l *loop) connected(seat int) {
	c := &l.clients[seat]
	errno, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno != 0 {
		err = unix.Errno(errno)
	}
	if err == nil {
		err = l.Modify(c.fd, l.token(seat), reactor.Write, reactor.Read)
	}
	if err != nil {
		l.lost(seat, "connect: "+err.Error())
		return
	}
	l.become(c, entering)
	d := l.doors.command
	params := []wire.Param{
		{Name: "user", Value: d.User}, {Name: "database", Value: d.Database},
		{Name: "application_name", Value: "usher load-test"},
	}
	if d.NameLane {
		params = append(params, wire.Param{Name: "options", Value: "-c usher.lane=" + c.lane.String()})
	}
	c.responder = l.credentials.Begin(auth.Binding{})
	l.message = wire.AppendStartup(l.message[:0], wire.Version30, params)
	l.send(seat, l.message)
}

// authenticate answers what the server asks. The keys that SCRAM derives from the password are derived once for all
// clients, as one pool of a driver may do it.
func (l *loop) authenticate(seat int, body []byte) {
	reply, _, err := l.clients[seat].responder.Answer(body)
	switch {
	case err != nil:
		l.lost(seat, err.Error())
	case reply != nil:
		l.send(seat, reply)
	}
}

// entered seats a client that is logged in.
func (l *loop) entered(seat int) {
	c := &l.clients[seat]
	c.responder, c.attempts, c.failed = nil, 0, false
	l.doors.underWay--
	l.doors.logins.Record(l.Now() - c.since)
	l.rest(seat)
	l.serveBacklog(c.lane)
}

// loginFailed lets a client that is away try again, unless the doors are still being opened for the first time and it
// has tried often enough.
func (l *loop) loginFailed(seat int, f refusal) {
	d, c := l.doors, &l.clients[seat]
	d.underWay--
	d.failures.add(f)
	if c.attempts++; !d.told && c.attempts >= d.command.Attempts {
		d.givenUp++
		return
	}
	l.queue(seat)
}

func (l *loop) endSlowLogins(now time.Duration) {
	if l.doors == nil || l.doors.underWay == 0 {
		return
	}
	patience := l.doors.command.Patience
	for seat := range l.clients {
		c := &l.clients[seat]
		if (c.place == connecting || c.place == entering) && now-c.since > patience {
			l.lost(seat, "no login within "+patience.String())
		}
	}
}

func (d *doors) state(inside int, now time.Duration) *Doors {
	return &Doors{
		Inside: inside, GivenUp: d.givenUp, Length: now - d.start,
		Logins: bucketsOf(&d.logins), Failures: d.failures.list(),
	}
}
