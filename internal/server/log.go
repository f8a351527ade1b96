package server

import (
	"io"
	"log/slog"

	"github.com/usher-pg/usher/internal/config"
)

// Log is where usher writes what happens. Its level can be changed while it is in use.
type Log struct {
	*slog.Logger
	level *slog.LevelVar
}

// NewLog makes the log that a configuration asks for.
func NewLog(out io.Writer, c config.Log) *Log {
	l := &Log{level: new(slog.LevelVar)}
	l.SetLevel(c.Level)
	options := &slog.HandlerOptions{Level: l.level}
	if c.Format == config.LogJSON {
		l.Logger = slog.New(slog.NewJSONHandler(out, options))
	} else {
		l.Logger = slog.New(slog.NewTextHandler(out, options))
	}
	return l
}

var levels = map[config.LogLevel]slog.Level{
	config.LogDebug: slog.LevelDebug,
	config.LogInfo:  slog.LevelInfo,
	config.LogWarn:  slog.LevelWarn,
	config.LogError: slog.LevelError,
}

// SetLevel changes what is written from now on.
func (l *Log) SetLevel(level config.LogLevel) { l.level.Set(levels[level]) }
