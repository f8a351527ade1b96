//go:build integration

package conformance

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// residentMemory is the RSS of a process in bytes.
func residentMemory(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kilobytes int
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// TestTenThousandConnectsAtOnce: everybody gets in, a witness does not notice, and all is free again
// afterwards.
func TestTenThousandConnectsAtOnce(t *testing.T) {
	target := startAlone(t, hostileConfig, "hostile")
	crowd := min(environmentNumber("USHER_CROWD", 10_000), descriptorLimit(t)-500)
	before := measure(t, target)
	watched := newWitness(t, target.in("calm"))
	control := newWitness(t, directly(target.backing)) // how much of it is the machine
	conns := make([]net.Conn, crowd)
	begin := time.Now()
	each := func(work func(i int) error) {
		var group sync.WaitGroup
		var failures atomic.Int64
		next := make(chan int, crowd)
		for i := range crowd {
			next <- i
		}
		close(next)
		for range 1000 {
			group.Go(func() {
				for i := range next {
					if err := work(i); err != nil && failures.Add(1) < 5 {
						t.Errorf("client %d: %v", i, err)
					}
				}
			})
		}
		group.Wait()
		if failures.Load() > 0 {
			t.Errorf("%d of %d failed", failures.Load(), crowd)
		}
	}
	each(func(i int) (err error) {
		if conns[i], err = net.Dial("tcp", target.address()); err != nil {
			return err
		}
		conns[i].SetDeadline(time.Now().Add(2 * patience))
		_, err = conns[i].Write(startupPacket(target))
		return err
	})
	each(func(i int) error { return untilReady(conns[i]) })
	t.Logf("%d clients were let in within %v; usher uses %d MB", crowd, time.Since(begin),
		residentMemory(t, target.usher.PID())>>20)
	each(func(i int) error {
		if _, err := conns[i].Write(whole('Q', fmt.Sprintf("SELECT 'client %d'\x00", i))); err != nil {
			return err
		}
		return untilReady(conns[i])
	})
	for _, conn := range conns {
		if conn != nil {
			conn.Close()
		}
	}
	watched.end()
	control.end()
	settles(t, target, before)
}

func descriptorLimit(t *testing.T) int {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return int(limit.Cur)
}

// TestFullDescriptorTable: when usher has no descriptors left, clients and server connections that are there
// go on, the next client is refused and not left hanging, and usher recovers when others leave.
func TestFullDescriptorTable(t *testing.T) {
	t.Parallel()
	target := startAlone(t, hostileConfig, "hostile")
	before := measure(t, target)
	watched := newWitness(t, target.in("calm"))
	inside := target.simple(t)
	inside.run("SELECT 1")
	full := uint64(take(t, target).descriptors + serverConnections(t, target, "") + 30)
	pid := target.usher.PID()
	var old unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &old); err != nil {
		t.Fatal(err)
	}
	low := unix.Rlimit{Cur: full, Max: old.Max}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &low, nil); err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	var refused int
	for range 50 {
		conn, err := net.Dial("tcp", target.address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		conn.Write(startupPacket(target))
		if err := untilReady(conn); err != nil {
			if os.IsTimeout(err) {
				t.Fatalf("client %d was left hanging", len(conns))
			}
			refused++
			continue
		}
		conns = append(conns, conn)
	}
	if refused == 0 || len(conns) == 0 {
		t.Errorf("%d clients were let in and %d refused", len(conns), refused)
	}
	inside.expect("SELECT 'inside'", "inside")
	for _, conn := range conns {
		conn.Write(whole('Q', "SELECT 'fine'\x00"))
		if err := untilReady(conn); err != nil {
			t.Errorf("a client that was let in: %v", err)
		}
		conn.Close()
	}
	eventually(t, patience, "usher lets clients in again", func() bool {
		conn, err := net.Dial("tcp", target.address())
		if err != nil {
			return false
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		conn.Write(startupPacket(target))
		return untilReady(conn) == nil
	})
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &old, nil); err != nil {
		t.Fatal(err)
	}
	inside.conn.Close(t.Context())
	watched.end()
	settles(t, target, before)
}
