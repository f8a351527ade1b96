package reactor

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain holds that nothing is left when all tests have ended: no goroutine, no descriptor.
func TestMain(m *testing.M) {
	before := descriptors()
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if after := descriptors(); after > before && code == 0 {
		fmt.Fprintf(os.Stderr, "%d descriptors are open, %d were before the tests\n", after, before)
		code = 1
	}
	os.Exit(code)
}

// descriptors is how many this process has open; 0 where the system does not tell. The runtime's own poller
// is opened before they are counted for the first time.
func descriptors() int {
	if r, w, err := os.Pipe(); err == nil {
		_, _ = r.Close(), w.Close()
	}
	list, _ := os.ReadDir("/proc/self/fd")
	return len(list)
}
