package server

import (
	"context"
	"errors"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/routing"
	"github.com/usher-pg/usher/internal/status"
)

// Reload reads the configuration file again and applies it. After an error nothing has changed.
func (s *Server) Reload(ctx context.Context) error {
	if s.options.ConfigPath == "" {
		return status.Refuse(status.NotSupported, "there is no configuration file to reload")
	}
	s.reloading.Lock()
	defer s.reloading.Unlock()
	loaded, err := config.Load(s.options.ConfigPath)
	if err == nil {
		err = s.adopt(ctx, loaded)
	}
	if err != nil {
		s.log.Error("reload refused, the configuration in force stays", "error", err)
		return status.Refuse(status.InvalidConfig, "%s", err.Error())
	}
	s.log.Info("configuration reloaded", "file", s.options.ConfigPath)
	return nil
}

// Set changes one option until the next reload.
func (s *Server) Set(ctx context.Context, key, value string) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	wanted, err := s.settings.Load().Config.Set(key, value)
	if err == nil {
		err = s.adopt(ctx, wanted)
	}
	if err != nil {
		return refuseSetting(err)
	}
	return nil
}

// refuseSetting says why an option was not changed.
func refuseSetting(err error) error {
	cause := status.InvalidValue
	switch {
	case errors.Is(err, config.ErrNoSuchOption):
		cause = status.NoSuchOption
	case errors.Is(err, config.ErrNoSuchPool):
		cause = status.NoSuchPool
	case errors.Is(err, config.ErrNeedsRestart), errors.Is(err, config.ErrOnlyInFile):
		cause = status.NotChangeable
	}
	return status.Refuse(cause, "%s", err.Error())
}

// reread applies the configuration in force again because files it names have changed.
func (s *Server) reread(ctx context.Context, files []string) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	now := s.settings.Load()
	err := s.adopt(ctx, now.Config)
	if err == nil {
		s.log.Info("files read again", "files", files)
		return
	}
	s.log.Warn("changed files cannot be used, what they held stays in force", "files", files, "error", err)
	s.settings.Store(now.Resigned())
}

// adopt puts a configuration in force. After an error nothing has changed. s.reloading is held.
func (s *Server) adopt(ctx context.Context, wanted *config.Config) error {
	before := s.settings.Load()
	loaded, err := routing.Load(config.Reloaded(before.Config, wanted), before)
	if err != nil {
		return err
	}
	doors, err := s.hang(ctx, s.strange(loaded.Config.Listen), loaded)
	if err != nil {
		return err
	}
	s.logChanges(config.Diff(before.Config, wanted))
	s.settings.Store(loaded)
	s.log.SetLevel(loaded.Config.Log.Level)
	s.warmer.warm(loaded.Config, loaded.Users)
	s.tellDoors(loaded)
	s.letIn(doors)
	s.closeOthers(loaded.Config.Listen)
	for _, r := range s.routes.Reload(loaded) {
		s.remove(ctx, r)
	}
	s.brain.Reconfigured()
	return nil
}

// listenOption is the path of an option that a reload changes, and SET, which knows no lists, does not.
const listenOption = "listen"

func (s *Server) logChanges(changes []config.Change) {
	for _, c := range changes {
		if c.Reloadable || c.Path == listenOption {
			s.log.Info("option changed", "option", c.Path, "from", c.Old, "to", c.New)
		} else {
			s.log.Warn("option needs a restart to change", "option", c.Path, "from", c.Old, "to", c.New)
		}
	}
}

// remove ends a pool that was taken out of the routes.
func (s *Server) remove(ctx context.Context, r *routing.Route) {
	s.log.Info("pool removed", "pool", r.Database, "user", r.Pool.User())
	s.counts.retire(r.Database, s.poolTotals(ctx)[r.Pool])
	r.Pool.Remove(ctx, pgerr.PoolGone)
}
