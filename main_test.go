package usher_test

import (
	"testing"

	"github.com/usher-pg/usher/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
