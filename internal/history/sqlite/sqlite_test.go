package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/historytest"
)

func TestContract(t *testing.T) {
	historytest.Contract(t, func(t *testing.T) historytest.Opener {
		path := filepath.Join(t.TempDir(), "history.db")
		return func(t *testing.T) history.Store { return openFile(t, path) }
	})
}

// openFile opens a history that must be sound.
func openFile(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Path: path, Tell: func(message string) { t.Errorf("told: %s", message) }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
