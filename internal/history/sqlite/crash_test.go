package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/historytest"
)

// crashFile names the history that a child of the test writes until it is killed.
const crashFile = "USHER_TEST_HISTORY_CRASH"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashFile); path != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(path))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// writeUntilKilled appends one bucket after the other and says which is acknowledged.
func writeUntilKilled(path string) error {
	bare := context.Background()
	s, err := Open(bare, Config{Path: path})
	if err != nil {
		return err
	}
	written, err := s.Range(bare, "app", historytest.Noon, historytest.Noon.AddDate(50, 0, 0))
	if err != nil {
		return err
	}
	for i := len(written); ; i++ {
		if err := s.Append(bare, "app", []history.Bucket{historytest.Bucket(i)}); err != nil {
			return err
		}
		fmt.Println(i)
		if i%7 == 0 {
			if err := s.SaveForecast(bare, "app", historytest.Bucket(i).Start, make([]byte, 10_000)); err != nil {
				return err
			}
		}
	}
}

func TestNothingAcknowledgedIsLostWhenUsherIsKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "history.db")
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	acknowledged := -1
	for round := range 4 {
		acknowledged = max(acknowledged, killAfter(t, path, 1+random.IntN(60)))
		s := openFile(t, path)
		got := everything(t, s)
		closeFile(t, s)
		if len(got) <= acknowledged {
			t.Fatalf("round %d: %d buckets, and number %d was acknowledged; seed %d", round, len(got), acknowledged, seed)
		}
		for i, b := range got {
			if b != historytest.Bucket(i) {
				t.Fatalf("round %d: bucket %d is %+v; seed %d", round, i, b, seed)
			}
		}
	}
}

// killAfter kills a writer with SIGKILL when it has acknowledged so many buckets, wherever it is then, and returns the
// last it acknowledged.
func killAfter(t *testing.T, path string, count int) int {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashFile+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	last := -1
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			t.Errorf("the child says %q", lines.Text())
		}
		if count--; count == 0 {
			if err := child.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	if err := child.Wait(); err == nil || last < 0 {
		t.Fatalf("the child was not killed: %v, after %d", err, last)
	}
	return last
}
