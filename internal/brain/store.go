package brain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/postgres"
	"github.com/usher-pg/usher/internal/history/sqlite"
)

// historyFile is what the history is called in the brain's folder.
const historyFile = "usher-history.db"

// openStore opens the history that the configuration names. It is called again after an error.
func (b *Brain) openStore(ctx context.Context) (history.Store, error) {
	where := b.options.Config().History.Store
	if where.URL != "" {
		store, err := postgres.Open(ctx, postgres.Config{DSN: string(where.URL)})
		if err != nil {
			return nil, err
		}
		return store, nil
	}
	if where.Path == config.HistoryOff || where.Path == config.HistoryAuto && b.options.Folder == "" {
		return openPassing(ctx)
	}
	store, err := sqlite.Open(ctx, sqlite.Config{
		Path: HistoryPath(where, b.options.Folder), MoveAside: true,
		Tell: func(message string) { b.log.Warn("history", "message", message) },
	})
	if where.Path == config.HistoryAuto && unwritable(err) {
		b.log.Warn("the history ends with usher: its file cannot be written; set history.store", "error", err)
		return openPassing(ctx)
	}
	if err != nil {
		return nil, err
	}
	return store, nil
}

// unwritable reports whether nothing can be written where a file should be, as in a container whose files cannot be
// changed.
func unwritable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// HistoryPath is where the history is when it is a file.
func HistoryPath(where config.HistoryStore, folder string) string {
	if where.Path == config.HistoryAuto {
		return filepath.Join(folder, historyFile)
	}
	return where.Path
}

// passing is a history that ends with usher.
type passing struct {
	history.Store
	folder string
}

func openPassing(ctx context.Context) (history.Store, error) {
	folder, err := os.MkdirTemp("", "usher-history-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the history: %w", err)
	}
	store, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(folder, historyFile)})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return passing{store, folder}, nil
}

// Close forgets all.
func (p passing) Close() error { return errors.Join(p.Store.Close(), os.RemoveAll(p.folder)) }

const day = 24 * time.Hour

// retention is how long the configuration keeps things. Forecasts are compared with what came for so long as it came in
// detail.
func retention(c *config.Config) history.Retention {
	r := history.DefaultRetention()
	r.Full, r.Coarse = int(c.History.Detail/day), int(c.History.Keep/day)
	r.Forecasts = min(r.Forecasts, r.Full)
	return r
}

// keep queues buckets to be written.
func (b *Brain) keep(pool string, buckets []history.Bucket) { b.keeper.Append(pool, buckets...) }
