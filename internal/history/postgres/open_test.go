package postgres

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestErrorsShowNoPassword(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, dsn := range []string{
		"postgres://app:geheim@127.0.0.1:1/app?sslmode=disable",
		"postgres://app:geheim@127.0.0.1:x/app",
		"host=127.0.0.1 port=1 user=app password=geheim sslmode=maybe",
	} {
		s, err := Open(ctx, Config{DSN: dsn})
		if err == nil {
			_ = s.Close()
			t.Fatal("there is a server on port 1")
		}
		if strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v", err)
		}
	}
}
