//go:build integration

package session

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/wire"
)

var (
	walkSeed  = flag.Uint64("walk.seed", 0, "seed of the random walk; 0 takes the clock's")
	walkSteps = flag.Int("walk.steps", 400, "transactions of the random walk")
)

// walkNames are the custom settings that the texts of the walk use.
var walkNames = []string{"app.a", "app.b", "app.c", "local.x"}

// walkPlain are statements that need no transaction and leave no pin.
var walkPlain = []string{
	"SELECT 1", "SELECT 1", "SELECT 1/0", "nonsense", "SELECT 'SET app.a = 1; LISTEN x'",
	"SET app.a = '1'", "SET app.a = 'it''s'", "SET app.b TO Word", "SET app.c = 1.50", "SET local.x = 'y'",
	"SET app.a = E'back\\\\slash'", "SET app.b = 'ünïcode'", "set /* c */ app.c /* d */ = $$dollar$$",
	"SET work_mem = '65MB'", "SET work_mem = 100000", "SET work_mem = 'nonsense'", "RESET work_mem",
	"SET search_path = \"Weird, Name\", public, 'x y'", "SET search_path = '$user'", "RESET search_path",
	"SET SCHEMA 'public'", "SET statement_timeout = '1h'", "SET statement_timeout = DEFAULT",
	"SET TIME ZONE 'Europe/Paris'", "SET TIME ZONE -3.5", "SET timezone = 'Asia/Tokyo'", "RESET timezone",
	"SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE", "SET DateStyle = sql, dmy", "RESET datestyle",
	"SET NAMES 'utf8'", "SET client_encoding = 'latin1'", "SET application_name = 'walk'",
	"SET xml option document",
	"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ",
	"SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE, NOT DEFERRABLE",
	"SET standard_conforming_strings = off", "RESET standard_conforming_strings",
	"SET LOCAL app.a = 'local'", "SET LOCAL work_mem = '66MB'", "SET LOCAL timezone = 'UTC'",
	"SET CONSTRAINTS ALL DEFERRED",
	"SELECT set_config('app.a', 'config', false)", "SELECT set_config('app.b', 'config', true)",
	"SELECT set_config('work_mem', '67MB', false), set_config('app.c', 'x' || 'y', false)",
	"SET ROLE trusted_user", "RESET ROLE", "SET ROLE NONE", "SET role = 'trusted_user'",
	"SET SESSION AUTHORIZATION trusted_user", "RESET SESSION AUTHORIZATION", "SET SESSION AUTHORIZATION DEFAULT",
	"RESET ALL", "RESET app.a", "RESET app.b", "DISCARD ALL", "LOAD 'auto_explain'",
	"DO $$ BEGIN SET app.a = 'do'; END $$", "DO $$ BEGIN PERFORM set_config('app.b', 'do', false); END $$",
	"DO $$ BEGIN EXECUTE 'SET work_mem = ''68MB'''; END $$", "DO $$ BEGIN SET LOCAL app.a = 'do'; END $$",
}

// walkPins are statements that begin and end pins.
var walkPins = []string{
	"LISTEN walk", "UNLISTEN *", "CREATE TEMP TABLE walk_temp (a int)", "DROP TABLE IF EXISTS walk_temp",
	"DISCARD TEMP",
	"SELECT pg_advisory_lock(77)", "SELECT pg_advisory_unlock_all()",
	"DECLARE walk CURSOR WITH HOLD FOR SELECT 1",
	"CLOSE ALL", "PREPARE walk AS SELECT 1", "DEALLOCATE walk", "DEALLOCATE ALL", "DISCARD ALL",
	"CREATE TEMP TABLE walk_drop (a int) ON COMMIT DROP", "SELECT 1 AS a INTO TEMP walk_temp",
	"DO $$ BEGIN CREATE TEMP TABLE walk_do (); END $$", "DROP TABLE IF EXISTS walk_do",
	"SET search_path = pg_temp",
	"CREATE TABLE IF NOT EXISTS walk_path (a int)", "DROP TABLE IF EXISTS walk_path", "RESET search_path",
}

// walkControl are statements that control transactions.
var walkControl = []string{
	"BEGIN", "BEGIN", "COMMIT", "COMMIT", "COMMIT", "ROLLBACK", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s",
	"RELEASE s",
	"COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "START TRANSACTION", "END", "ABORT",
}

type walker struct {
	t        *testing.T
	random   *rand.Rand
	tracker  Tracker
	here     *live // the client's server connection
	there    *live // another one
	log      []string
	failures int
}

// TestAnotherServerConnectionIsIndistinguishable is the promise of the package: a client that may leave its
// server connection finds the same session at another one. A random client runs random transactions on a real
// PostgreSQL; after each, either the tracker pins it, or the other connection, synchronized, shows the same
// settings. And the tracker never misses a pin.
func TestAnotherServerConnectionIsIndistinguishable(t *testing.T) {
	t.Parallel()
	seed := *walkSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("to replay: go test -tags integration -run %s -walk.seed %d", t.Name(), seed)
	w := &walker{t: t, random: rand.New(rand.NewPCG(seed, 1))}
	defer func() {
		if t.Failed() {
			t.Logf("%s\n%s", brief(w.tracker.Settings()), strings.Join(w.log, "\n"))
		}
	}()
	w.begin()
	for range *walkSteps {
		w.transaction()
		if t.Failed() {
			return
		}
		if w.random.IntN(25) == 0 {
			w.begin()
		}
	}
	t.Logf("%d statements failed", w.failures)
}

// begin lets a new client in, with startup parameters or without. Its server connections have different
// defaults.
func (w *walker) begin() {
	if w.here != nil {
		w.here.close()
		w.there.close()
	}
	w.here = connect(w.t, wire.Param{Name: "timezone", Value: "America/Lima"})
	w.there = connect(w.t)
	for _, l := range []*live{w.here, w.there} {
		l.must("DO $$ BEGIN END $$") // loads PL/pgSQL, which brings settings of its own
	}
	var own []wire.Param
	if w.random.IntN(2) == 0 {
		own = []wire.Param{
			{Name: "TimeZone", Value: "Europe/Berlin"}, {Name: "app.a", Value: `start'\up`},
			{Name: "DateStyle", Value: "iso, dmy"},
			{Name: "options", Value: `-c work_mem=70MB --search-path=a,\ b`},
		}
	}
	settings, _, err := Welcome(w.here.reported, own)
	if err != nil {
		w.t.Fatal(err)
	}
	w.tracker.Start(settings)
	w.log = []string{fmt.Sprintf("start %v", own)}
}

// transaction runs texts until no transaction is open, and compares.
func (w *walker) transaction() {
	w.here.sync(&w.tracker)
	for status := byte('?'); status != 'I'; {
		texts, extended := w.texts()
		var failure string
		status, failure = w.here.exchange(&w.tracker, texts, extended)
		if failure != "" {
			w.failures++
		}
		protocol := map[bool]string{true: "extended", false: "simple"}[extended]
		w.log = append(w.log, fmt.Sprintf("%-8s %c  %q  %s", protocol, status, texts, failure))
	}
	w.compare()
}

// texts makes the next messages: one text, several statements in one, pipelined texts, or a batch.
func (w *walker) texts() (texts []string, extended bool) {
	count := 1
	if w.random.IntN(4) == 0 {
		count += w.random.IntN(3)
	}
	for range count {
		texts = append(texts, w.statement())
	}
	switch w.random.IntN(6) {
	case 0:
		return []string{strings.Join(texts, ";\n")}, false
	case 1, 2:
		return texts, true
	}
	return texts, false
}

func (w *walker) statement() string {
	pick := func(list []string) string { return list[w.random.IntN(len(list))] }
	switch n := w.random.IntN(20); {
	case n < 6:
		return pick(walkControl)
	case n < 8:
		return pick(walkPins)
	}
	return pick(walkPlain)
}

func (w *walker) compare() {
	missed := w.here.probe().pins() &^ w.tracker.Pins()
	if missed != 0 {
		w.t.Errorf("the tracker has missed: %v", missed)
		return
	}
	if w.tracker.Pins() != 0 {
		if w.random.IntN(3) == 0 { // or else the walk gets stuck on one connection
			w.here.sync(&w.tracker)
			w.here.exchange(&w.tracker, []string{"DISCARD ALL"}, false)
			w.log = append(w.log, "DISCARD ALL")
			if pins := w.tracker.Pins() &^ (1 << PinLibrary); pins != 0 {
				w.t.Errorf("DISCARD ALL leaves %v", pins)
			}
		}
		return
	}
	w.here.sync(&w.tracker)
	w.there.sync(&w.tracker)
	if diff := cmp.Diff(w.here.state(walkNames), w.there.state(walkNames)); diff != "" {
		w.t.Errorf("the sessions differ (-where it ran +synchronized):\n%s", diff)
	}
	if w.here.settings != w.there.settings {
		w.t.Errorf("the same state is two sets:\n%s\n%s", brief(w.here.settings), brief(w.there.settings))
	}
	w.log = append(w.log, "settings: "+brief(w.tracker.Settings()))
	if w.random.IntN(2) == 0 {
		w.here, w.there = w.there, w.here
	}
}
