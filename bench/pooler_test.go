package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/pgtest"
)

func TestUsherReadsTheConfigOfEveryRow(t *testing.T) {
	t.Parallel()
	w := &world{
		options:     options{pool: 20, usher: "/bin/false"},
		server:      "127.0.0.1:5432",
		scramSecret: "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy",
	}
	authority, err := pgtest.NewAuthority("bench test")
	if err != nil {
		t.Fatal(err)
	}
	if w.certificate, err = authority.Issue(pgtest.Request{Hosts: pgtest.Loopback()}); err != nil {
		t.Fatal(err)
	}
	if err := w.certificate.Save(t.TempDir(), "server"); err != nil {
		t.Fatal(err)
	}
	for _, r := range plan() {
		dir := t.TempDir()
		if _, err := w.usherCommand(w.usher, dir, 6432, r.work); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "usher.yaml")
		c, err := config.Load(file)
		if err != nil {
			text, _ := os.ReadFile(file)
			t.Fatalf("%s: %v\n%s", r.name, err, text)
		}
		pool := c.Pools[database]
		if pool == nil || pool.Size.Min != 20 || pool.Size.Max != 20 {
			t.Errorf("%s: pool %+v", r.name, pool)
		}
		if offered := c.TLS.SSLMode == config.SSLRequire; offered != r.work.tls {
			t.Errorf("%s: TLS required: %v", r.name, offered)
		}
	}
}
