package privatepg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// ErrNotInstalled says that no PostgreSQL server programs were found. The error that wraps it says what to
// install on this platform.
var ErrNotInstalled = errors.New("PostgreSQL is not installed")

// Installation is a set of PostgreSQL programs.
type Installation struct {
	Bin   string // the folder with initdb, postgres and pg_ctl
	Major int
}

// Program is the path of one of its programs.
func (i Installation) Program(name string) string { return filepath.Join(i.Bin, name) }

// places are where packages put the server programs when they do not put them into PATH. Patterns of
// filepath.Glob.
var places = []string{
	"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                                   // packages of postgresql.org for Fedora and its kin
	"/usr/libexec/postgresql*",                           // Alpine
	"/opt/homebrew/opt/postgresql*/bin",                  // Homebrew on Apple silicon
	"/usr/local/opt/postgresql*/bin",                     // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",     // Homebrew on Linux
	"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
	"/opt/local/lib/postgresql*/bin",                     // MacPorts
	"/usr/local/pgsql/bin",                               // built from source
	"/usr/local/bin",                                     // FreeBSD
}

// Find lists the installations of PostgreSQL on this machine: the one in PATH first, then the newest first.
func Find(ctx context.Context) ([]Installation, error) {
	var folders []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(path))
		}
	}
	inPath := len(folders)
	for _, pattern := range places {
		matches, _ := filepath.Glob(pattern) // the only error is a bad pattern, and a test has globbed them all
		folders = append(folders, matches...)
	}
	var found []Installation
	for i, folder := range folders {
		install, err := inspect(ctx, folder)
		if err != nil || slices.Contains(found, install) {
			if i < inPath {
				inPath = 0
			}
			continue
		}
		found = append(found, install)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNotInstalled, howToInstall(runtime.GOOS, osRelease()))
	}
	slices.SortStableFunc(found[inPath:], func(a, b Installation) int { return b.Major - a.Major })
	return found, nil
}

var versionPattern = regexp.MustCompile(`PostgreSQL\) (\d+)`)

// inspect tells whether a folder holds the programs we need, and of which version they are.
func inspect(ctx context.Context, folder string) (Installation, error) {
	for _, program := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(folder, program)); err != nil {
			return Installation{}, fmt.Errorf("find %s: %w", program, err)
		}
	}
	out, err := exec.CommandContext(ctx, filepath.Join(folder, "postgres"), "--version").Output()
	if err != nil {
		return Installation{}, fmt.Errorf("run postgres --version: %w", err)
	}
	match := versionPattern.FindSubmatch(out)
	if match == nil {
		return Installation{}, fmt.Errorf("postgres --version says %q", bytes.TrimSpace(out))
	}
	major, err := strconv.Atoi(string(match[1]))
	if err != nil {
		return Installation{}, fmt.Errorf("read the version of postgres: %w", err)
	}
	return Installation{Bin: folder, Major: major}, nil
}

// choose picks the installation for a data folder. A folder that exists belongs to one major version.
func choose(ctx context.Context, bin, dataDir string) (Installation, error) {
	var found []Installation
	var err error
	if bin != "" {
		var install Installation
		install, err = inspect(ctx, bin)
		found = []Installation{install}
	} else {
		found, err = Find(ctx)
	}
	if err != nil {
		return Installation{}, err
	}
	text, err := os.ReadFile(filepath.Join(dataDir, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return found[0], nil
	}
	if err != nil {
		return Installation{}, fmt.Errorf("read the version of the data folder: %w", err)
	}
	version := strings.TrimSpace(string(text))
	for _, install := range found {
		if strconv.Itoa(install.Major) == version {
			return install, nil
		}
	}
	return Installation{}, fmt.Errorf("%s was made by PostgreSQL %s, but only %s is installed: "+
		"install %s, or remove the folder", dataDir, version, majors(found), version)
}

func majors(found []Installation) string {
	var names []string
	for _, install := range found {
		names = append(names, strconv.Itoa(install.Major))
	}
	return strings.Join(slices.Compact(names), ", ")
}

// howToInstall says what to type on a platform to get PostgreSQL. release is the text of os-release(5).
func howToInstall(goos, release string) string {
	switch goos {
	case "darwin":
		return "install it with: brew install postgresql"
	case "freebsd":
		return "install it with: pkg install postgresql18-server"
	case "linux":
		return linuxInstall(release)
	}
	return "install PostgreSQL's server programs (initdb, postgres) and put them into PATH"
}

func linuxInstall(release string) string {
	fields := strings.FieldsFunc(release, func(r rune) bool { return r == '\n' })
	var ids []string
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		if name == "ID" || name == "ID_LIKE" {
			ids = append(ids, strings.Fields(strings.Trim(value, `"'`))...)
		}
	}
	commands := []struct{ id, command string }{
		{"debian", "apt-get install postgresql"},
		{"ubuntu", "apt-get install postgresql"},
		{"fedora", "dnf install postgresql-server"},
		{"rhel", "dnf install postgresql-server"},
		{"suse", "zypper install postgresql-server"},
		{"alpine", "apk add postgresql"},
		{"arch", "pacman -S postgresql"},
	}
	for _, c := range commands {
		if slices.Contains(ids, c.id) {
			return "install it with: " + c.command
		}
	}
	return "install PostgreSQL's server programs (initdb, postgres), usually a package named postgresql-server"
}

func osRelease() string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "" // then we do not know the distribution, and the advice is general
	}
	return string(text)
}
