package privatepg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// initialise makes the data folder unless it exists. initdb works in a folder of another name that is
// renamed at the end, so that an interrupted one is not taken for a good one.
func (s *Server) initialise(ctx context.Context) error {
	if _, err := os.Stat(s.dataDir()); err == nil {
		return nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("look for the data folder: %w", err)
	}
	fresh := s.dataDir() + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("remove what an interrupted initdb left: %w", err)
	}
	args := []string{
		"--pgdata=" + fresh, "--username=" + Superuser, "--auth=trust",
		"--encoding=UTF8", "--no-locale", // the same on every machine
	}
	if s.config.Settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, s.install.Program("initdb"), args...)
	s.dress(cmd)
	if err := cmd.Run(); err != nil {
		return s.withLog(fmt.Errorf("run initdb: %w", err))
	}
	if err := s.finishFolder(fresh); err != nil {
		return err
	}
	if err := os.Rename(fresh, s.dataDir()); err != nil {
		return fmt.Errorf("move the new data folder into place: %w", err)
	}
	return nil
}

// finishFolder adds our lines to the configuration files that initdb wrote.
func (s *Server) finishFolder(dir string) error {
	name := filepath.Join(dir, "postgresql.conf")
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read postgresql.conf: %w", err)
	}
	text = append(text, "\n# What usher sets; written anew at every start.\ninclude_if_exists 'usher.conf'\n"...)
	if err := s.account.write(name, text); err != nil {
		return fmt.Errorf("write postgresql.conf: %w", err)
	}
	if len(s.config.HBA) == 0 {
		return nil
	}
	name = filepath.Join(dir, "pg_hba.conf")
	if text, err = os.ReadFile(name); err != nil {
		return fmt.Errorf("read pg_hba.conf: %w", err)
	}
	text = append([]byte(strings.Join(s.config.HBA, "\n")+"\n"), text...)
	if err := s.account.write(name, text); err != nil {
		return fmt.Errorf("write pg_hba.conf: %w", err)
	}
	return nil
}

// writeSettings writes usher.conf and the files that go with it.
func (s *Server) writeSettings() error {
	for name, content := range s.config.Files {
		if filepath.Base(name) != name {
			return fmt.Errorf("file %q for the data folder: want a plain name", name)
		}
		if err := s.account.write(filepath.Join(s.dataDir(), name), content); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	text, err := renderSettings(s.config.Settings)
	if err != nil {
		return err
	}
	if err := s.account.write(filepath.Join(s.dataDir(), "usher.conf"), text); err != nil {
		return fmt.Errorf("write usher.conf: %w", err)
	}
	return nil
}

// renderSettings writes settings as postgresql.conf wants them; see "Setting Parameters" in its manual.
func renderSettings(settings map[string]string) ([]byte, error) {
	var names []string
	for name := range settings {
		names = append(names, name)
	}
	slices.Sort(names)
	text := []byte("# Written by usher at every start. Use ALTER SYSTEM for changes of your own.\n")
	quote := strings.NewReplacer(`'`, `''`, `\`, `\\`)
	for _, name := range names {
		value := settings[name]
		if name == "" || strings.ContainsAny(name, " \t\r\n\x00='#") || strings.ContainsAny(value, "\r\n\x00") {
			return nil, fmt.Errorf("setting %q = %q cannot be written to a configuration file", name, value)
		}
		text = fmt.Appendf(text, "%s = '%s'\n", name, quote.Replace(value))
	}
	return text, nil
}

// dress gives a child its user, folder, environment and log.
func (s *Server) dress(cmd *exec.Cmd) {
	cmd.Dir = s.dir // the account may be unable to enter ours
	cmd.Env = childEnvironment(os.Environ(), s.dir)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	// A group of its own: Ctrl-C in a terminal is for usher, which then stops PostgreSQL in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account.Credential(), Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
}

// childEnvironment drops what would change how initdb and postgres behave, or in which language they speak.
func childEnvironment(environment []string, home string) []string {
	var kept []string
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "PG") || strings.HasPrefix(name, "LC_") || name == "LANG" ||
			name == "LANGUAGE" || name == "HOME" || name == "NOTIFY_SOCKET" {
			continue
		}
		kept = append(kept, entry)
	}
	return append(kept, "LC_ALL=C", "HOME="+home)
}
