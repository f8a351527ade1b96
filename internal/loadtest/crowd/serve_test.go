package crowd

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/wire"
)

const patience = 20 * time.Second

// stage is a crowd with a server that does what the test says.
type stage struct {
	t        *testing.T
	listener net.Listener
	commands io.WriteCloser
	reports  chan Report
	ended    chan error

	mutex   sync.Mutex // guards all below
	answer  func(request string) (reply []byte, hangUp bool)
	options []string // startup packets' options
	logins  int
}

// okay answers any request.
func okay(request string) ([]byte, bool) {
	status := wire.StatusIdle
	if strings.HasPrefix(request, "BEGIN") {
		status = wire.StatusInTransaction
	}
	return wire.AppendReady(wire.AppendTag(nil, "SELECT 1"), status), false
}

func refused(code string) ([]byte, bool) {
	b := wire.AppendError(nil, wire.ErrorResponse, wire.ErrorPart{Field: wire.FieldCode, Value: code},
		wire.ErrorPart{Field: wire.FieldMessage, Value: "no"})
	return wire.AppendReady(b, wire.StatusIdle), false
}

func newStage(t *testing.T) *stage {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	in, commands := io.Pipe()
	out, reports := io.Pipe()
	s := &stage{
		t: t, listener: listener, commands: commands, answer: okay,
		reports: make(chan Report, 1000), ended: make(chan error, 1),
	}
	go s.accept()
	go func() {
		err := Serve(context.Background(), in, reports)
		_ = reports.Close()
		s.ended <- err
	}()
	go func() {
		for decoder := json.NewDecoder(out); ; {
			var r Report
			if decoder.Decode(&r) != nil {
				close(s.reports)
				return
			}
			s.reports <- r
		}
	}()
	t.Cleanup(func() {
		_ = commands.Close()
		select {
		case err := <-s.ended:
			if err != nil {
				t.Errorf("the crowd ended with: %v", err)
			}
		case <-time.After(patience):
			t.Error("the crowd does not end with its input")
		}
		_ = listener.Close()
	})
	return s
}

func (s *stage) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		go s.serve(conn)
	}
}

// serve lets a client in and answers each Query and each Sync.
func (s *stage) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	head, err := r.Peek(4)
	if err != nil {
		return
	}
	length, _, _ := wire.StartupLen(head)
	packet := make([]byte, length)
	if _, err := io.ReadFull(r, packet); err != nil {
		return
	}
	params, _ := wire.ParseStartup(packet)
	s.mutex.Lock()
	s.logins++
	for _, p := range params {
		if p.Name == "options" {
			s.options = append(s.options, p.Value)
		}
	}
	s.mutex.Unlock()
	welcome := wire.AppendAuth(nil, wire.AuthOK, nil)
	// In two writes, cut within a message: nothing says that messages come whole.
	welcome = wire.AppendReady(wire.AppendStatusParam(welcome, wire.Param{Name: "a", Value: "b"}), wire.StatusIdle)
	_, _ = conn.Write(welcome[:11])
	_, _ = conn.Write(welcome[11:])
	for {
		header := make([]byte, wire.HeaderLen)
		if _, err := io.ReadFull(r, header); err != nil {
			return
		}
		kind, length, _ := wire.Header(header)
		body := make([]byte, length-wire.HeaderLen)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		if kind != wire.Query && kind != wire.Sync {
			continue
		}
		s.mutex.Lock()
		answer := s.answer
		s.mutex.Unlock()
		reply, hangUp := answer(string(body))
		if _, err := conn.Write(reply); err != nil || hangUp {
			return
		}
	}
}

func (s *stage) behave(answer func(string) ([]byte, bool)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.answer = answer
}

// tell gives a command and collects its reports up to the last.
func (s *stage) tell(c Command) (seconds []Second, last Report) {
	s.t.Helper()
	line, err := json.Marshal(c)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.commands.Write(append(line, '\n')); err != nil {
		s.t.Fatal(err)
	}
	timeout := time.After(patience)
	for {
		select {
		case r, ok := <-s.reports:
			if !ok {
				s.t.Fatal("the crowd says no more")
			}
			if r.Second != nil {
				seconds = append(seconds, *r.Second)
			}
			if r.Done {
				return seconds, r
			}
		case <-timeout:
			s.t.Fatalf("no end of %+v", c)
		}
	}
}

func (s *stage) connect(seats ...Seats) *Doors {
	s.t.Helper()
	_, last := s.tell(Command{Connect: &Connect{
		Address: s.listener.Addr().String(), User: "u", Password: "p", Database: "d", Seats: seats, NameLane: true,
		Parallel: 4, Patience: patience, Attempts: 2,
	}})
	if last.Error != "" || last.Doors == nil {
		s.t.Fatalf("connect: %+v", last)
	}
	return last.Doors
}

// sent is how many requests a client was idle for. A machine that does other things too may stop the crowd at the end
// of a run, and what was due then is not sent; but that is not most of it.
func (s *stage) sent(l LaneOutcome) uint64 {
	s.t.Helper()
	if l.Unsent > l.Arrived/2 {
		s.t.Errorf("most was not sent: %+v", l)
	}
	return l.Arrived - l.Unsent
}

// run sends requests for a second.
func (s *stage) run(loads ...Load) ([]Second, *Outcome) {
	s.t.Helper()
	seconds, last := s.tell(Command{Run: &Run{
		Seed: 5, Duration: time.Second, Drain: patience, Work: Work{SQL: "select $1", Keys: 9}, Loads: loads,
	}})
	if last.Error != "" || last.Outcome == nil {
		s.t.Fatalf("run: %+v", last)
	}
	for _, l := range last.Outcome.Lanes {
		if l.Arrived != l.Served+l.Failed+l.Unfinished+l.Unsent {
			s.t.Errorf("lane %s: the sums are wrong: %+v", l.Lane, l)
		}
	}
	return seconds, last.Outcome
}

func steady(lane string, rate float64) Load {
	return Load{Lane: lane, Rate: []Point{{0, rate}, {time.Second, rate}}}
}

func TestEverybodyComesInNamesTheLaneAndIsServed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	doors := s.connect(Seats{"critical", 3}, Seats{"low", 17})
	if doors.Inside != 20 || doors.GivenUp != 0 || doors.Logins.Count() != 20 || len(doors.Failures) != 0 {
		t.Errorf("%+v", doors)
	}
	s.mutex.Lock()
	named := strings.Join(s.options, ",")
	s.mutex.Unlock()
	if strings.Count(named, "-c usher.lane=critical") != 3 || strings.Count(named, "-c usher.lane=low") != 17 {
		t.Errorf("options: %s", named)
	}
	seconds, out := s.run(steady("critical", 50), steady("low", 200))
	for _, l := range out.Lanes {
		if l.Served != s.sent(l) || l.Latency.Count() != l.Served || l.Served == 0 {
			t.Errorf("%+v", l)
		}
	}
	if out.Lanes[1].Clients != 17 {
		t.Errorf("%d of 17 clients took part in 200 requests", out.Lanes[1].Clients)
	}
	if len(seconds) != 1 || seconds[0].Lanes[1].Arrived != out.Lanes[1].Arrived {
		t.Errorf("seconds: %+v", seconds)
	}
	// On a machine that does other things too, some find no client idle, and their lateness says nothing.
	if n := out.Lateness.Count(); n == 0 || n > out.Lanes[0].Arrived+out.Lanes[1].Arrived {
		t.Errorf("lateness of %d requests", n)
	}
	if _, last := s.tell(Command{Leave: true}); last.Error != "" {
		t.Error(last.Error)
	}
	if doors := s.connect(Seats{"normal", 2}); doors.Inside != 2 {
		t.Errorf("the second crowd: %+v", doors)
	}
}

// TestAStallIsNotHidden has a server that answers nothing for a third of a second. A generator that waits for answers
// would send fewer requests meanwhile and see few long latencies; here everything that was due counts.
func TestAStallIsNotHidden(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.connect(Seats{"normal", 2})
	const stall = 300 * time.Millisecond
	var once sync.Once
	stalled := make(chan struct{})
	s.behave(func(request string) ([]byte, bool) {
		once.Do(func() { time.AfterFunc(stall, func() { close(stalled) }) })
		<-stalled
		return okay(request)
	})
	_, out := s.run(steady("normal", 200))
	l := out.Lanes[0]
	if l.Served != s.sent(l) {
		t.Fatalf("%+v", l)
	}
	// Of 200 requests a second, 60 were due in the stall, half of them waited for more than half of it.
	if long := l.Latency.Beyond(stall / 2); long < 15 {
		t.Errorf("%d of %d latencies are beyond %v", long, l.Served, stall/2)
	}
}

func TestRefusalsAreCountedAndTheClientGoesOn(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.connect(Seats{"low", 3})
	var mutex sync.Mutex
	count := 0
	s.behave(func(request string) ([]byte, bool) {
		mutex.Lock()
		defer mutex.Unlock()
		if count++; count%2 == 0 {
			return refused("53300")
		}
		return okay(request)
	})
	_, out := s.run(steady("low", 100))
	l := out.Lanes[0]
	if l.Failed != s.sent(l)/2 || l.Served != s.sent(l)-l.Failed || l.Refusal.Count() != l.Failed {
		t.Errorf("%+v", l)
	}
	if len(l.Failures) != 1 || l.Failures[0] != (Failure{"53300", "no", l.Failed}) {
		t.Errorf("failures: %+v", l.Failures)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.logins != 3 {
		t.Errorf("%d logins of three clients", s.logins)
	}
}

func TestWhoIsThrownOutComesBack(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.connect(Seats{"low", 2})
	var mutex sync.Mutex
	left := 3
	s.behave(func(request string) ([]byte, bool) {
		mutex.Lock()
		defer mutex.Unlock()
		if left > 0 {
			left--
			reply, _ := refused("57P01")
			return reply[:len(reply)-6], true // without the ReadyForQuery
		}
		return okay(request)
	})
	_, out := s.run(steady("low", 100))
	l := out.Lanes[0]
	if l.Failed != 3 || l.Served == 0 || l.Unfinished != 0 {
		t.Errorf("%+v", l)
	}
	if len(l.Failures) != 1 || l.Failures[0].SQLState != "57P01" ||
		!strings.Contains(l.Failures[0].Example, "closed the connection") {
		t.Errorf("failures: %+v", l.Failures)
	}
}

func TestAClosedLaneIsAlwaysBusy(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.connect(Seats{"normal", 8})
	_, out := s.run(Load{Lane: "normal", Closed: 3})
	if l := out.Lanes[0]; l.Served < 100 || l.Served != s.sent(l) {
		t.Errorf("%+v", l)
	}
}

func TestWhatIsNotAnsweredIsUnfinishedAndTheRestWasNotSent(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.connect(Seats{"normal", 2})
	s.behave(func(string) ([]byte, bool) { return nil, false })
	_, last := s.tell(Command{Run: &Run{
		Seed: 1, Duration: 200 * time.Millisecond, Drain: 50 * time.Millisecond, Work: Work{SQL: "select 1"},
		Loads: []Load{steady("normal", 100)},
	}})
	l := last.Outcome.Lanes[0]
	if l.Unfinished != 2 || l.Unsent != l.Arrived-2 || l.Served != 0 {
		t.Errorf("%+v", l)
	}
	s.behave(okay)
	_, out := s.run(steady("normal", 50)) // both come back
	if l := out.Lanes[0]; l.Served != s.sent(l) || l.Clients != 2 {
		t.Errorf("afterwards: %+v", l)
	}
}

func TestTransactionsAreHeldAndReleased(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.connect(Seats{"normal", 5}, Seats{"critical", 2})
	var mutex sync.Mutex
	var seen []string
	begun := 0
	s.behave(func(request string) ([]byte, bool) {
		mutex.Lock()
		defer mutex.Unlock()
		seen = append(seen, strings.TrimRight(request, "\x00"))
		if strings.HasPrefix(request, "BEGIN") {
			if begun++; begun == 4 {
				return refused("53300")
			}
		}
		return okay(request)
	})
	_, last := s.tell(Command{Hold: &Hold{Lane: "normal", Count: 4, Patience: patience}})
	if last.Held != 3 {
		t.Errorf("%+v are held, want 3: one was refused", last)
	}
	_, out := s.run(steady("critical", 50))
	if l := out.Lanes[0]; l.Served != s.sent(l) {
		t.Errorf("meanwhile: %+v", l)
	}
	if _, last := s.tell(Command{Release: true}); last.Held != 3 {
		t.Errorf("%+v were held, want 3", last)
	}
	mutex.Lock()
	defer mutex.Unlock()
	if commits := strings.Count(strings.Join(seen, "|"), "COMMIT"); commits != 3 {
		t.Errorf("%d COMMITs", commits)
	}
}

func TestWhoCannotBeginInTimeBeginsLaterAndCommitsAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.connect(Seats{"normal", 2})
	gate := make(chan struct{})
	s.behave(func(request string) ([]byte, bool) {
		if strings.HasPrefix(request, "BEGIN") {
			<-gate
		}
		return okay(request)
	})
	_, last := s.tell(Command{Hold: &Hold{Lane: "normal", Count: 2, Patience: time.Millisecond}})
	if last.Held != 0 || last.Error != "" {
		t.Errorf("%+v", last)
	}
	time.AfterFunc(20*time.Millisecond, func() { close(gate) })
	if _, last := s.tell(Command{Release: true}); last.Held != 0 {
		t.Errorf("%+v", last)
	}
	_, out := s.run(steady("normal", 50))
	if l := out.Lanes[0]; l.Served != s.sent(l) || l.Clients != 2 {
		t.Errorf("afterwards: %+v", l)
	}
}

func TestWhoIsNotLetInIsGivenUp(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	address := s.listener.Addr().String()
	_ = s.listener.Close()
	_, last := s.tell(Command{Connect: &Connect{
		Address: address, User: "u", Database: "d", Seats: []Seats{{"low", 3}}, Parallel: 4, Patience: patience,
		Attempts: 2,
	}})
	if d := last.Doors; d.Inside != 0 || d.GivenUp != 3 || len(d.Failures) != 1 || d.Failures[0].Count != 6 {
		t.Errorf("%+v", d)
	}
}

func TestCommandsThatCannotBeCarriedOutAreRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.connect(Seats{"low", 1})
	for name, c := range map[string]Command{
		"nothing":       {},
		"connect again": {Connect: &Connect{Seats: []Seats{{"low", 1}}}},
		"a bad run":     {Run: &Run{}},
		"a lane twice": {Run: &Run{Duration: time.Second, Work: Work{SQL: "x"},
			Loads: []Load{steady("low", 1), steady("low", 1)}}},
		"a bad lane":     {Hold: &Hold{Lane: "urgent"}},
		"too many holds": {Hold: &Hold{Lane: "low", Count: 2, Patience: patience}},
	} {
		if _, last := s.tell(c); last.Error == "" {
			t.Errorf("%s: %+v", name, last)
		}
	}
}
