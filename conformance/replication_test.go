//go:build integration

package conformance

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestReplicationCommands: a logical replication connection speaks SQL and the replication commands.
func TestReplicationCommands(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		logical := target.simple(t, "replication", "database")
		fields := strings.Split(logical.run("IDENTIFY_SYSTEM"), "|")
		if len(fields) != 4 || fields[3] != database {
			t.Fatalf("IDENTIFY_SYSTEM answered %q", fields)
		}
		logical.expect("SELECT 1", "1")
		logical.expect("SHOW wal_level", "logical")
		slot := unique("slot")
		created := logical.run("CREATE_REPLICATION_SLOT " + slot +
			" TEMPORARY LOGICAL test_decoding NOEXPORT_SNAPSHOT")
		if !strings.HasPrefix(created, slot) {
			t.Errorf("CREATE_REPLICATION_SLOT answered %q", created)
		}
		admin := target.admin(t)
		admin.expect("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '"+slot+"'", "1")
		logical.conn.Close(t.Context())
		eventually(t, patience, "the connection is gone with its temporary slot", func() bool {
			return admin.run("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '"+slot+"'") == "0"
		})
		// Its server connection served nobody else.
		target.simple(t).expect("SELECT 1", "1")
	})
}

// TestLogicalReplicationStreams runs pg_recvlogical: CopyBoth in both directions over one connection.
func TestLogicalReplicationStreams(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		slot, table := unique("stream"), unique("streamed")
		admin := target.admin(t)
		admin.run("CREATE TABLE " + table + " (id int)")
		recvlogical := func(arguments ...string) program {
			return program{name: "pg_recvlogical", arguments: append([]string{"--slot=" + slot,
				"--dbname=" + target.database}, arguments...)}
		}
		target.succeed(t, recvlogical("--create-slot", "--plugin=test_decoding"))
		defer admin.run("SELECT pg_drop_replication_slot('" + slot + "')")
		admin.run("SET synchronous_commit = on; INSERT INTO " + table + " SELECT generate_series(1, 3000)")
		end := admin.run("SELECT pg_current_wal_insert_lsn()")
		output := target.succeed(t, recvlogical("--start", "--file=-", "--endpos="+end,
			"--option=skip-empty-xacts=1"))
		if count := strings.Count(output, "table public."+table+": INSERT"); count != 3000 {
			t.Errorf("%d of 3000 rows were streamed", count)
		}
	})
}

// TestPhysicalReplicationStreams runs pg_receivewal until it has written a segment.
func TestPhysicalReplicationStreams(t *testing.T) {
	t.Parallel()
	each(t, "*", func(t *testing.T, target *target) {
		folder := t.TempDir()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		receiver := exec.CommandContext(ctx, find(t, "pg_receivewal"), "--directory="+folder, "--no-loop",
			"--synchronous")
		receiver.Env = append(os.Environ(), target.environment()...)
		var problems bytes.Buffer
		receiver.Stderr = &problems
		if err := receiver.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- receiver.Wait() }()
		admin := target.admin(t)
		eventually(t, patience, "pg_receivewal writes a segment", func() bool {
			select {
			case err := <-ended:
				t.Fatalf("pg_receivewal ended: %v\n%s", err, problems.String())
			default:
			}
			segments, _ := filepath.Glob(filepath.Join(folder, "0*"))
			if len(segments) == 0 {
				admin.run("SELECT pg_logical_emit_message(false, 'conformance', 'something to stream')")
			}
			return len(segments) > 0
		})
		receiver.Process.Signal(os.Interrupt)
		if err := <-ended; err != nil {
			t.Errorf("pg_receivewal: %v\n%s", err, problems.String())
		}
	})
}

// TestBaseBackup copies a whole cluster through the target, its WAL on a second connection.
func TestBaseBackup(t *testing.T) {
	t.Parallel()
	each(t, "*", func(t *testing.T, target *target) {
		folder := filepath.Join(t.TempDir(), "backup")
		target.succeed(t, program{name: "pg_basebackup", arguments: []string{
			"--pgdata=" + folder, "--checkpoint=fast", "--wal-method=stream", "--no-sync", "--format=plain",
		}})
		target.succeed(t, program{name: "pg_verifybackup", arguments: []string{"--quiet", folder}})
	})
}

// TestReplicationParameterMustBeUnderstood: it is a boolean or "database".
func TestReplicationParameterMustBeUnderstood(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		conn, err := pgconn.Connect(t.Context(), target.url("replication", "nonsense"))
		if err == nil {
			conn.Close(t.Context())
			t.Fatal("replication=nonsense was accepted")
		}
		if state := sqlState(err); state != "22023" {
			t.Errorf("replication=nonsense: %v", err)
		}
		target.simple(t, "replication", "off").expect("SELECT 1", "1")
	})
}
