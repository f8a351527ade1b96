//go:build integration

package session

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/usher-pg/usher/internal/wire"
)

func TestTheProbeSeesEveryKindOfState(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		make, end string
		want      PinReasons
	}{
		{"SELECT 1", "SELECT 1", 0},
		{"LISTEN probe_test", "UNLISTEN *", Pins(PinListen)},
		{"CREATE TEMP TABLE t (a int primary key, b text)", "DROP TABLE t", Pins(PinTemp)},
		{"CREATE TEMP SEQUENCE s", "DISCARD TEMP", Pins(PinTemp)},
		{"CREATE TEMP VIEW v AS SELECT 1", "DROP VIEW v", Pins(PinTemp)},
		{"CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION pg_temp.f",
			Pins(PinTemp)},
		{"CREATE TYPE pg_temp.e AS ENUM ('a')", "DROP TYPE pg_temp.e", Pins(PinTemp)},
		{"SELECT 1 AS a INTO TEMP t", "DROP TABLE t", Pins(PinTemp)},
		{"CREATE TEMP TABLE t (a int) ON COMMIT DROP", "SELECT 1", 0},
		{"SELECT pg_advisory_lock(42)", "SELECT pg_advisory_unlock(42)", Pins(PinAdvisory)},
		{"SELECT pg_try_advisory_lock_shared(1, 42)", "SELECT pg_advisory_unlock_all()", Pins(PinAdvisory)},
		{"SELECT pg_advisory_xact_lock(43)", "SELECT 1", 0},
		{"BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT", "CLOSE c", Pins(PinCursor)},
		{"BEGIN; DECLARE c CURSOR FOR SELECT 1; COMMIT", "SELECT 1", 0},
		{"PREPARE p AS SELECT 1", "DEALLOCATE p", Pins(PinPrepare)},
		{"LISTEN probe_test; PREPARE p AS SELECT 1; CREATE TEMP TABLE t ()", "",
			Pins(PinListen, PinPrepare, PinTemp)},
	} {
		l := connect(t)
		l.must(test.make)
		if got := l.probe().pins(); got != test.want {
			t.Errorf("after %s: %v, want %v", test.make, got, test.want)
		}
		if test.end == "" {
			test.end = "DISCARD ALL"
		}
		l.must(test.end)
		if got := l.probe().pins(); got != 0 {
			t.Errorf("after %s and %s: %v", test.make, test.end, got)
		}
	}
}

func TestTheProbeSeesSettingsAndIdentity(t *testing.T) {
	t.Parallel()
	l := connect(t)
	l.must("SET search_path = '$user', \"Weird,=Name\", public")
	l.must("SET work_mem = '65MB'")
	l.must("SET app.text = 'ä, b=c'")
	l.must("SET app.empty = ''")
	l.must("SET ROLE trusted_user")
	probe := l.probe("app.text", "app.empty", "app.unknown")
	want := &Probe{
		Settings: []wire.Param{
			{Name: "search_path", Value: `"$user", "Weird,=Name", public`}, {Name: "work_mem", Value: "66560"},
		},
		Custom: []wire.Param{
			{Name: "app.text", Value: "ä, b=c"}, {Name: "app.empty"}, {Name: "app.unknown"},
		},
		Role: "trusted_user", LoginUser: probe.LoginUser, SessionUser: probe.LoginUser,
	}
	if diff := cmp.Diff(want, probe); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	l.must("SET SESSION AUTHORIZATION trusted_user")
	want = &Probe{LoginUser: probe.LoginUser, SessionUser: "trusted_user", Role: "none", Settings: want.Settings}
	if diff := cmp.Diff(want, l.probe()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTheProbeTellsStatementsOfSQLFromThoseOfTheProtocol(t *testing.T) {
	t.Parallel()
	l := connect(t)
	l.must("PREPARE a AS SELECT 1; PREPARE b AS SELECT 2")
	l.front.Send(&pgproto3.Parse{Name: "usher_1", Query: "SELECT 3"})
	l.front.Send(&pgproto3.Sync{})
	l.flush()
	for ready := false; !ready; {
		_, ready = l.receive().(*pgproto3.ReadyForQuery)
	}
	if probe := l.probe(); probe.SQLPrepared != 2 || probe.Prepared != 1 {
		t.Errorf("%d by SQL and %d by the protocol, want 2 and 1", probe.SQLPrepared, probe.Prepared)
	}
}

// TestAHostileSearchPathDoesNotReachTheProbe puts functions, operators and tables of the names the probe uses
// in front of those of PostgreSQL.
func TestAHostileSearchPathDoesNotReachTheProbe(t *testing.T) {
	t.Parallel()
	l := connect(t)
	l.must(`CREATE SCHEMA hostile;
		CREATE FUNCTION hostile.bomb() RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''hostile''; END';
		CREATE FUNCTION hostile.count() RETURNS bigint LANGUAGE sql AS 'SELECT hostile.bomb()::bigint';
		CREATE FUNCTION hostile.concat(text, text, text) RETURNS text LANGUAGE sql
			AS 'SELECT hostile.bomb()::text';
		CREATE FUNCTION hostile.encode(bytea, text) RETURNS text LANGUAGE sql
			AS 'SELECT hostile.bomb()::text';
		CREATE FUNCTION hostile.set_config(text, text, boolean) RETURNS text LANGUAGE sql
			AS 'SELECT hostile.bomb()::text';
		CREATE FUNCTION hostile.equal(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT hostile.bomb() = 1';
		CREATE FUNCTION hostile.equal(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT hostile.bomb() = 1';
		CREATE FUNCTION hostile.equal(int, int) RETURNS boolean LANGUAGE sql
			AS 'SELECT hostile.bomb() OPERATOR(pg_catalog.=) 1';
		CREATE OPERATOR hostile.= (FUNCTION = hostile.equal, LEFTARG = text, RIGHTARG = text);
		CREATE OPERATOR hostile.= (FUNCTION = hostile.equal, LEFTARG = oid, RIGHTARG = oid);
		CREATE OPERATOR hostile.= (FUNCTION = hostile.equal, LEFTARG = int, RIGHTARG = int);
		CREATE OPERATOR hostile.<> (FUNCTION = hostile.equal, LEFTARG = oid, RIGHTARG = oid);
		CREATE DOMAIN hostile.text AS int;
		CREATE TABLE hostile.pg_settings (name int);
		CREATE TABLE hostile.pg_locks (name int)`)
	defer connect(t).must("DROP SCHEMA hostile CASCADE")
	l.must("SET search_path = hostile, pg_catalog")
	probe := l.probe("app.x")
	if len(probe.Settings) != 1 || probe.pins() != 0 {
		t.Errorf("%+v", probe)
	}
	var tracker Tracker
	settings, err := FromStartup([]wire.Param{{Name: "app.x", Value: "y"}, {Name: "work_mem", Value: "1MB"}})
	if err != nil {
		t.Fatal(err)
	}
	tracker.Start(settings)
	l.settings = nil
	l.sync(&tracker)
	if got := l.probe("app.x").Custom; len(got) != 1 || got[0].Value != "y" {
		t.Errorf("app.x is %v", got)
	}
}
