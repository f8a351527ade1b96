//go:build integration

package conformance

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const dumpedObjects = `
CREATE SCHEMA "Odd name";
CREATE TYPE mood AS ENUM ('happy', 'sad');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE people (
	id serial PRIMARY KEY, name text NOT NULL UNIQUE, mood mood DEFAULT 'happy', age positive
);
CREATE TABLE "Odd name"."Visits" (
	person int REFERENCES people (id) ON DELETE CASCADE, at timestamptz, note text
);
CREATE TABLE parts (id int, region text, payload bytea) PARTITION BY LIST (region);
CREATE TABLE parts_north PARTITION OF parts FOR VALUES IN ('north');
CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
CREATE INDEX ON "Odd name"."Visits" (at);
CREATE VIEW adults AS SELECT * FROM people WHERE age >= 18;
CREATE MATERIALIZED VIEW counts AS SELECT mood, count(*) FROM people GROUP BY mood;
CREATE FUNCTION shout(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN upper($1) || '!'; END $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN NEW.at := coalesce(NEW.at, now()); RETURN NEW; END
$$;
CREATE TRIGGER touch BEFORE INSERT ON "Odd name"."Visits" FOR EACH ROW EXECUTE FUNCTION touch();
COMMENT ON TABLE people IS 'with a '' quote';
INSERT INTO people (name, age) SELECT 'person ' || n, n FROM generate_series(1, 2000) AS n;
INSERT INTO "Odd name"."Visits"
	SELECT n, timestamptz '2026-01-01' + n * interval '1 hour', E'tab\t"quote"' || n
	FROM generate_series(1, 2000) AS n;
INSERT INTO parts
	SELECT n, CASE n % 2 WHEN 0 THEN 'north' ELSE 'south' END, decode(repeat('00ff', 500), 'hex')
	FROM generate_series(1, 500) AS n;
SELECT lo_from_bytea(4711, 'a large object');
REFRESH MATERIALIZED VIEW counts`

// TestDumpAndRestore dumps a database and restores it into another one, both through the target, and compares
// what PostgreSQL itself says about the two.
func TestDumpAndRestore(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		source := target.ownDatabase(t, "dump_source")
		directly(source.backing).in(source.database).simple(t).run(dumpedObjects)
		expected := plainDump(t, source)
		restores := []struct {
			name          string
			dump, restore []string
		}{
			{"custom format", []string{"--format=custom"}, nil},
			{"directory, in parallel", []string{"--format=directory", "--jobs=2"}, []string{"--jobs=2"}},
			{"tar, one transaction", []string{"--format=tar"}, []string{"--single-transaction"}},
			{"inserts", []string{"--format=custom", "--rows-per-insert=100"}, nil},
		}
		for _, r := range restores {
			t.Run(r.name, func(t *testing.T) {
				restored := target.ownDatabase(t, "dump_restored")
				archive := filepath.Join(t.TempDir(), "archive")
				source.succeed(t, program{name: "pg_dump", arguments: append(r.dump, "--file="+archive)})
				restored.succeed(t, program{
					name:      "pg_restore",
					arguments: append(r.restore, "--exit-on-error", "--dbname="+restored.database, archive),
				})
				if diff := cmp.Diff(expected, plainDump(t, restored)); diff != "" {
					t.Errorf("the restored database differs (-source +restored):\n%s", diff)
				}
			})
		}
		t.Run("plain, by psql", func(t *testing.T) {
			restored := target.ownDatabase(t, "dump_restored")
			text := source.succeed(t, program{name: "pg_dump"})
			restored.succeed(t, program{name: "psql", arguments: []string{"-Xqv", "ON_ERROR_STOP=1"}, input: text})
			if diff := cmp.Diff(expected, plainDump(t, restored)); diff != "" {
				t.Errorf("the restored database differs (-source +restored):\n%s", diff)
			}
		})
	})
}

// plainDump is taken from PostgreSQL itself, without the lines that differ between any two dumps.
func plainDump(t *testing.T, of *target) string {
	t.Helper()
	text := directly(of.backing).in(of.database).succeed(t, program{name: "pg_dump"})
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "--") && !strings.HasPrefix(line, `\restrict`) &&
			!strings.HasPrefix(line, `\unrestrict`) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
