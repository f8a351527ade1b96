package reactor

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// seen is an event as the handler got it.
type seen struct {
	token Token
	event Event
}

// world is a loop that runs and a handler that does what the test says.
type world struct {
	*Loop
	t     *testing.T
	ready func(Token, Event) // on the loop
	sleep time.Duration      // what Turn answers; may be changed on the loop only
	turns atomic.Int64

	stop  context.CancelFunc
	ended chan error // gets what Run returned
}

func (w *world) Ready(ready []Readiness) {
	for _, r := range ready {
		w.ready(r.Token, r.Event)
	}
}

func (w *world) Turn() time.Duration {
	w.turns.Add(1)
	return w.sleep
}

// start runs a loop that sleeps as long as nothing happens, until the test ends.
func start(t *testing.T, ready func(w *world, token Token, event Event)) *world {
	t.Helper()
	w := &world{t: t, sleep: time.Hour, ended: make(chan error, 1)}
	w.ready = func(token Token, event Event) { ready(w, token, event) }
	var err error
	if w.Loop, err = New(w, time.Now()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	go func() { w.ended <- w.Run(ctx) }()
	t.Cleanup(w.end)
	return w
}

// end stops the loop and waits for it. It may be called twice.
func (w *world) end() {
	w.t.Helper()
	w.stop()
	select {
	case err := <-w.ended:
		if err != nil {
			w.t.Errorf("Run: %v", err)
		}
		w.ended <- nil
	case <-time.After(patience):
		w.t.Fatal("the loop does not end")
	}
}

// do calls f on the loop and waits for it.
func (w *world) do(f func()) {
	w.t.Helper()
	done := make(chan struct{})
	w.Post(func() { f(); close(done) })
	w.wait(done, "a letter")
}

func (w *world) wait(done <-chan struct{}, what string) {
	w.t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		w.t.Fatalf("%s did not come in %v", what, patience)
	}
}

// turn waits until whatever is ready has been reported: between two letters is a wait for events.
func (w *world) turn() {
	w.t.Helper()
	w.do(func() {})
	w.do(func() {})
}

// expect waits for an event.
func (w *world) expect(events <-chan seen, want seen) {
	w.t.Helper()
	select {
	case got := <-events:
		if got != want {
			w.t.Fatalf("event %03b of %d, expected %03b of %d", got.event, got.token, want.event, want.token)
		}
	case <-time.After(patience):
		w.t.Fatalf("no event in %v, expected %03b of %d", patience, want.event, want.token)
	}
}

// quiet fails if an event has been reported that nobody has asked for.
func (w *world) quiet(events <-chan seen) {
	w.t.Helper()
	w.turn()
	select {
	case got := <-events:
		w.t.Fatalf("event %03b of %d, expected none", got.event, got.token)
	default:
	}
}

// pair is a socket for the loop and its other end, both non-blocking and closed when the test ends.
func pair(t *testing.T) (fd, peer int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
	}
	return fds[0], fds[1]
}

func send(t *testing.T, fd int, text string) {
	t.Helper()
	if n, err := unix.Write(fd, []byte(text)); err != nil || n != len(text) {
		t.Fatalf("write: %d, %v", n, err)
	}
}

// once makes a handler that reads what there is and reports the event.
func once(events chan<- seen, fds map[Token]int) func(*world, Token, Event) {
	return func(w *world, token Token, event Event) {
		var b [64]byte
		if event&Readable != 0 {
			_, _ = unix.Read(fds[token], b[:])
		}
		events <- seen{token, event}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestADescriptorThatCanBeReadIsReportedByItsToken(t *testing.T) {
	t.Parallel()
	first, firstPeer := pair(t)
	second, secondPeer := pair(t)
	events := make(chan seen, 16)
	const high = Token(1)<<63 | 7 // all 64 bits are the owner's
	w := start(t, once(events, map[Token]int{high: first, 2: second}))
	w.do(func() { must(t, w.Add(first, high, Read)) })
	w.do(func() { must(t, w.Add(second, 2, Read)) })
	w.quiet(events)

	send(t, firstPeer, "x")
	w.expect(events, seen{high, Readable})
	send(t, secondPeer, "x")
	w.expect(events, seen{2, Readable})
	w.quiet(events)
}

func TestWhatIsLeftUnreadIsReportedAgain(t *testing.T) {
	t.Parallel()
	fd, peer := pair(t)
	events := make(chan seen, 16)
	w := start(t, func(_ *world, token Token, event Event) {
		var b [1]byte
		_, _ = unix.Read(fd, b[:])
		events <- seen{token, event}
	})
	w.do(func() { must(t, w.Add(fd, 1, Read)) })
	send(t, peer, "xyz")
	for range 3 {
		w.expect(events, seen{1, Readable})
	}
	w.quiet(events)
}

func TestOnlyWhatIsOfInterestIsReported(t *testing.T) {
	t.Parallel()
	fd, peer := pair(t)
	events := make(chan seen, 16)
	w := start(t, func(w *world, token Token, event Event) {
		var b [64]byte
		if event&Readable != 0 {
			_, _ = unix.Read(fd, b[:])
		}
		if event&Writable != 0 { // there is always room: once is enough
			must(t, w.Modify(fd, token, Write, 0))
		}
		events <- seen{token, event}
	})
	w.do(func() { must(t, w.Add(fd, 1, 0)) })
	send(t, peer, "x")
	w.quiet(events)
	w.do(func() { must(t, w.Modify(fd, 1, 0, Write)) })
	w.expect(events, seen{1, Writable})
	w.quiet(events)
	w.do(func() { must(t, w.Modify(fd, 1, 0, Read|Write)) })
	w.expect(events, seen{1, Readable | Writable})
	w.quiet(events)
	w.do(func() { must(t, w.Modify(fd, 1, 0, Read)) })
	send(t, peer, "x")
	w.expect(events, seen{1, Readable})
	w.do(func() { must(t, w.Remove(fd, Read)) })
	send(t, peer, "x")
	w.quiet(events)
}

func TestAFullSocketIsReportedWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	fd, peer := pair(t)
	events := make(chan seen, 16)
	w := start(t, func(w *world, token Token, event Event) {
		must(t, w.Modify(fd, token, Write, 0))
		events <- seen{token, event}
	})
	block := make([]byte, 64<<10)
	for {
		if _, err := unix.Write(fd, block); err != nil {
			break
		}
	}
	w.do(func() { must(t, w.Add(fd, 1, Write)) })
	w.quiet(events)
	for {
		if n, err := unix.Read(peer, block); err != nil || n == 0 {
			break
		}
	}
	w.expect(events, seen{1, Writable})
}

func TestAPeerThatIsGoneIsReportedWithoutInterest(t *testing.T) {
	t.Parallel()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(t, err)
	events := make(chan seen, 16)
	w := start(t, func(w *world, token Token, event Event) {
		must(t, w.Remove(fds[0], 0))
		events <- seen{token, event}
	})
	w.do(func() { must(t, w.Add(fds[0], 1, 0)) })
	w.quiet(events)
	must(t, unix.Close(fds[1]))
	w.expect(events, seen{1, Hangup | Broken})
	w.quiet(events)
	must(t, unix.Close(fds[0]))
}

// TestOnceReportsWhatIsNew leaves all that comes unread.
func TestOnceReportsWhatIsNew(t *testing.T) {
	t.Parallel()
	fd, peer := pair(t)
	events := make(chan seen, 1024)
	w := start(t, func(_ *world, token Token, event Event) { events <- seen{token, event} })
	send(t, peer, "a")
	w.do(func() { must(t, w.Add(fd, 1, Read|Once)) })
	w.expect(events, seen{1, Readable}) // as it was found
	if runtime.GOOS != "linux" {
		return // others may report it again
	}
	w.quiet(events)
	send(t, peer, "b")
	w.expect(events, seen{1, Readable})
	w.quiet(events)
	w.do(func() { must(t, w.Modify(fd, 1, Read|Once, Once)) })
	w.quiet(events)
	w.do(func() { must(t, w.Modify(fd, 1, Once, Read|Once)) })
	w.expect(events, seen{1, Readable})
	must(t, unix.Shutdown(peer, unix.SHUT_WR))
	w.expect(events, seen{1, Readable | Hangup})
	w.quiet(events)
}

// TestAPeerThatWritesNoMoreDoesNotKeepTheLoopBusy has a client close its writing half only. It is reported
// while somebody reads it; after that it must not be reported for ever.
func TestAPeerThatWritesNoMoreDoesNotKeepTheLoopBusy(t *testing.T) {
	t.Parallel()
	fd, peer := pair(t)
	events := make(chan seen, 1024)
	w := start(t, func(w *world, token Token, event Event) {
		must(t, w.Modify(fd, token, Read, 0))
		events <- seen{token, event}
	})
	w.do(func() { must(t, w.Add(fd, 1, Read)) })
	must(t, unix.Shutdown(peer, unix.SHUT_WR))
	w.expect(events, seen{1, Readable | Hangup})
	w.quiet(events)
}

// TestARemovalInTheSameTurnHolds has many descriptors become ready at once. The first that is reported
// removes them all: the others may have a stale event in that turn, but none later.
func TestARemovalInTheSameTurnHolds(t *testing.T) {
	t.Parallel()
	const count = 32
	var fds, peers [count]int
	for i := range count {
		fds[i], peers[i] = pair(t)
	}
	events := make(chan seen, 4*count)
	removed, turn := false, int64(0)
	w := start(t, func(w *world, token Token, event Event) {
		switch {
		case !removed:
			removed, turn = true, w.turns.Load()
			for i := range count {
				must(t, w.Remove(fds[i], Read))
			}
			must(t, w.Add(fds[0], 1000, Read)) // in the place of token 0, as a slot that is used again
		case token < 1000 && w.turns.Load() != turn:
			t.Errorf("a removed descriptor is reported %d turns later", w.turns.Load()-turn)
		case token == 1000:
			must(t, w.Remove(fds[0], Read))
			events <- seen{token, event}
		}
	})
	for _, peer := range peers {
		send(t, peer, "x")
	}
	w.do(func() {
		for i, fd := range fds {
			must(t, w.Add(fd, Token(i), Read))
		}
	})
	w.expect(events, seen{1000, Readable})
	w.quiet(events)
}

func TestEveryLetterIsReadOnceAndInOrder(t *testing.T) {
	t.Parallel()
	const posters, letters = 8, 2000
	w := start(t, func(*world, Token, Event) {})
	var last [posters]int // touched on the loop only, which the race detector holds
	var posting sync.WaitGroup
	for poster := range posters {
		posting.Go(func() {
			for i := 1; i <= letters; i++ {
				w.Post(func() {
					if last[poster] != i-1 {
						t.Errorf("poster %d: letter %d behind letter %d", poster, i, last[poster])
					}
					last[poster] = i
				})
			}
		})
	}
	posting.Wait()
	w.do(func() {
		for poster, n := range last {
			if n != letters {
				t.Errorf("poster %d: %d letters of %d were read", poster, n, letters)
			}
		}
	})
}

func TestALoopThatPostsToItselfReadsItInTheNextTurn(t *testing.T) {
	t.Parallel()
	w := start(t, func(*world, Token, Event) {})
	read := make(chan struct{})
	w.Post(func() {
		turn, inLetter := w.turns.Load(), true
		w.Post(func() {
			if inLetter || w.turns.Load() != turn+1 {
				t.Errorf("read %d turns after it was posted", w.turns.Load()-turn)
			}
			close(read)
		})
		inLetter = false
	})
	w.wait(read, "the letter of a letter")
}

func TestALetterPostedByAHandlerIsNotSleptThrough(t *testing.T) {
	t.Parallel()
	fd, peer := pair(t)
	read := make(chan struct{})
	w := start(t, func(w *world, _ Token, _ Event) {
		must(t, w.Remove(fd, Read))
		w.Post(func() { close(read) })
	})
	w.do(func() { must(t, w.Add(fd, 1, Read)) })
	send(t, peer, "x")
	w.wait(read, "the letter of a handler")
}

func TestALoopSleepsNoLongerThanTold(t *testing.T) {
	t.Parallel()
	w := start(t, func(*world, Token, Event) {})
	w.turn()
	before := w.turns.Load()
	w.turn()
	if turns := w.turns.Load() - before; turns > 4 {
		t.Errorf("%d turns for two letters of a loop that may sleep", turns)
	}
	// 300 µs and 5 ms take the two ways poller.wait has on Linux.
	for _, sleep := range []time.Duration{300 * time.Microsecond, 5 * time.Millisecond} {
		began := time.Now()
		w.do(func() { w.sleep = sleep })
		before := w.turns.Load()
		for w.turns.Load() < before+5 {
			if time.Since(began) > patience {
				t.Fatalf("sleeps longer than %v", sleep)
			}
			unix.Poll(nil, 1)
		}
		if slept := time.Since(began); slept < 5*sleep/2 {
			t.Errorf("five turns in %v, each of which may sleep %v: the loop spins", slept, sleep)
		}
		w.do(func() { w.sleep = time.Hour })
	}
}

func TestTheClockBeginsWithTheStart(t *testing.T) {
	t.Parallel()
	began := time.Now().Add(-time.Hour)
	w := &world{}
	l, err := New(w, began)
	must(t, err)
	defer l.poller.close()
	if now := l.Now(); now < time.Hour || now > time.Hour+patience {
		t.Errorf("it is %v after a start an hour ago", now)
	}
}

// TestALetterThatComesTooLateTouchesNothing posts to a loop that has ended, when another file has got the
// number of the descriptor that wakes it.
func TestALetterThatComesTooLateTouchesNothing(t *testing.T) {
	w := start(t, func(*world, Token, Event) {})
	w.turn()
	w.end()
	var files []*os.File
	for range 8 { // one of them gets the number
		file, err := os.Create(filepath.Join(t.TempDir(), "other"))
		must(t, err)
		defer file.Close()
		files = append(files, file)
	}
	w.rung.Store(false) // the letter that ended the loop may not have been read
	w.Post(func() { t.Error("a letter is read after the end") })
	for _, file := range files {
		info, err := file.Stat()
		must(t, err)
		if info.Size() != 0 {
			t.Errorf("waking a loop that has ended wrote %d bytes into another file", info.Size())
		}
	}
}
