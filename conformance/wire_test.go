//go:build integration

package conformance

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/conformance/transcript"
	"github.com/usher-pg/usher/internal/chance"
	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/privatepg"
)

// recordedMajor names the release of PostgreSQL the golden answers were recorded from.
const recordedMajor = "testdata/wire/POSTGRESQL_MAJOR"

// TestWire replays the transcripts. PostgreSQL itself must answer as recorded, if it is of the recorded
// release; usher must answer as the PostgreSQL behind it just did, except where the file says that it
// diverges.
func TestWire(t *testing.T) {
	files, err := filepath.Glob("testdata/wire/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	wire := &wireTest{postgres: startPostgres(t)}
	wire.direct = newDirect(t, directly(wire.postgres))
	if !*rewrite && targetNames()["usher"] {
		wire.usher = startUsher(t, wire.postgres, standardConfig)
	}
	for _, file := range files {
		script, err := transcript.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(script.Name, func(t *testing.T) {
			t.Parallel()
			live := wire.onPostgres(t, script, file)
			if wire.usher != nil {
				wire.throughUsher(t, script, live)
			}
		})
	}
}

// wireTest is what the replays of all files share.
type wireTest struct {
	postgres *privatepg.Server
	usher    *pgtest.Usher // nil if usher is not asked for
	direct   *direct
}

func (w *wireTest) onPostgres(t *testing.T, script *transcript.Script, file string) transcript.Recording {
	live := play(t, w.player(directly(w.postgres)), script)
	if *rewrite {
		if err := os.WriteFile(file, []byte(script.Rewrite(live)), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(recordedMajor, []byte(strconv.Itoa(w.postgres.Major())+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return live
	}
	recorded, err := os.ReadFile(recordedMajor)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(recorded)) != strconv.Itoa(w.postgres.Major()) {
		t.Logf("recorded from PostgreSQL %s; only compared with the answers of the running one", recorded)
		return live
	}
	if diff := script.Diff(script.Golden(), live); diff != "" {
		t.Errorf("PostgreSQL does not answer as recorded:\n%s", diff)
	}
	return live
}

// throughUsher replays a script in several ways: as it is, again, in small pieces, and several times at once
// while other clients make server connections change hands between the blocks.
func (w *wireTest) throughUsher(t *testing.T, script *transcript.Script, live transcript.Recording) {
	if reason, skip := script.Skips("usher"); skip {
		t.Skip(reason)
	}
	expected := script.Diverge(live, "usher")
	compare := func(t *testing.T, player *transcript.Player) {
		if diff := script.Diff(expected, play(t, player, script)); diff != "" {
			t.Errorf("usher does not answer as PostgreSQL:\n%s", diff)
		}
	}
	pool := func(name string) *target { return through(w.usher, w.postgres, name) }
	t.Run("twice", func(t *testing.T) {
		compare(t, w.player(pool("wire")))
		compare(t, w.player(pool("wire")))
	})
	t.Run("session mode", func(t *testing.T) { compare(t, w.player(pool("session"))) })
	t.Run("few prepared statements", func(t *testing.T) { compare(t, w.player(pool("narrow"))) })
	t.Run("in pieces", func(t *testing.T) {
		player := w.player(pool("wire"))
		player.Split = pieces(t)
		compare(t, player)
	})
	t.Run("several at once", func(t *testing.T) {
		var group sync.WaitGroup
		for range 3 {
			player := w.player(pool("wire"))
			player.Before = disturb(t, pool("wire"))
			group.Go(func() { compare(t, player) })
		}
		group.Wait()
	})
}

// play fails the test with Errorf only: it also runs on goroutines of a test.
func play(t *testing.T, player *transcript.Player, script *transcript.Script) transcript.Recording {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	recorded, err := player.Play(ctx, script)
	if err != nil {
		t.Errorf("%s: %v", player.Target, err)
	}
	return recorded
}

func (w *wireTest) player(target *target) *transcript.Player {
	return &transcript.Player{
		Target: target.name, Network: "tcp", Address: target.address(),
		User: target.user, Database: target.database,
		Direct: w.direct.run,
	}
}

// disturb returns what makes server connections change hands: one of two clients begins a transaction, on
// whatever server connection is free, and the other one ends its own.
func disturb(t *testing.T, target *target) func() {
	holders := [2]*session{target.simple(t), target.simple(t)}
	turn := 0
	return func() {
		holders[turn%2].try("BEGIN; SELECT 1")
		holders[(turn+1)%2].try("ROLLBACK")
		turn++
	}
}

// pieces cuts at random places: the beginning into a few bytes each, the rest into larger parts.
func pieces(t *testing.T) func([]byte) [][]byte {
	random := newRandom(t)
	return func(sent []byte) (cut [][]byte) {
		for len(sent) > 0 {
			size := 1 + random.IntN(9)
			if len(cut) > 300 {
				size = 1 + random.IntN(32<<10)
			}
			size = min(size, len(sent))
			cut, sent = append(cut, sent[:size]), sent[size:]
		}
		return cut
	}
}

// newRandom prints its seed, and takes it from USHER_SEED.
func newRandom(tb testing.TB) *rand.Rand {
	return rand.New(rand.NewPCG(chance.Seed(tb), 0))
}

// direct runs SQL on PostgreSQL itself for scripts, one at a time.
type direct struct {
	mu   sync.Mutex // held while SQL runs: a connection does one thing at a time, and await's queries are short
	conn *pgconn.PgConn
}

func newDirect(t *testing.T, target *target) *direct {
	return &direct{conn: target.simple(t, "application_name", "conformance direct").conn}
}

func (d *direct) run(ctx context.Context, sql string) (rows int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	results, err := d.conn.Exec(ctx, sql).ReadAll()
	for _, result := range results {
		rows += len(result.Rows)
	}
	return rows, err
}
