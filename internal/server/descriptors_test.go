package server

import (
	"testing"

	"github.com/usher-pg/usher/internal/config"
)

func TestDescriptorsNeeded(t *testing.T) {
	t.Parallel()
	c, err := config.Parse("test.yaml", []byte(`
auth: {type: trust}
limits: {max_clients: 100}
pools:
  a: {url: "postgres://x@db/a", size: {max: 7, reserve: 3}}
  b: {url: "postgres://x@db/b", size: {max: 5}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if n := descriptorsNeeded(c); n != 100+7+3+5+spareDescriptors {
		t.Errorf("%d", n)
	}
}
