package privatepg

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Account is the user that programs run as which refuse root: initdb, postgres, poolers. The zero Account is the
// user of this process.
type Account struct {
	name       string
	uid, gid   int
	switchUser bool // this process is root and has to become the account for its children
}

// unprivileged names the accounts to become when we are root, in order of preference: Debian's and most
// others' postgres, FreeBSD's old pgsql, and what every system has.
var unprivileged = []string{"postgres", "pgsql", "nobody"}

// settle creates the folder and decides who runs PostgreSQL in it. As root that is the owner of the folder
// if it has another one than root, so that a folder made without root is still good.
func settle(wanted, elsewhere string) (string, Account, error) {
	if os.Geteuid() != 0 {
		err := os.MkdirAll(wanted, 0o700)
		if err != nil {
			return "", Account{}, fmt.Errorf("create the folder: %w", err)
		}
		return wanted, Account{}, nil
	}
	who, err := chooseAccount(wanted)
	if err != nil {
		return "", Account{}, err
	}
	dir := wanted
	if closed := who.closedParent(wanted); closed != "" {
		if elsewhere == "" {
			return "", Account{}, fmt.Errorf(
				"PostgreSQL runs as user %s here, because it refuses root, and %s cannot enter %s on the way to %s: "+
					"use a folder outside, or let others enter it (chmod o+x %s)",
				who.name, who.name, closed, wanted, closed)
		}
		dir = filepath.Join(elsewhere, folderName(wanted))
		if closed := who.closedParent(dir); closed != "" {
			return "", Account{}, fmt.Errorf("user %s, whom PostgreSQL runs as, can enter neither %s nor %s",
				who.name, wanted, closed)
		}
	}
	if err := who.own(dir); err != nil {
		return "", Account{}, err
	}
	return dir, who, nil
}

// folderName turns a path into one name that is readable and different for different paths.
func folderName(path string) string {
	sum := sha256.Sum256([]byte(path))
	readable := strings.Trim(strings.ReplaceAll(path, "/", "-"), "-.")
	if len(readable) > 40 { // a socket has to fit below it; see socketDir
		readable = readable[len(readable)-40:]
	}
	return readable + "-" + hex.EncodeToString(sum[:4])
}

func chooseAccount(dir string) (Account, error) {
	if uid, gid, err := owner(dir); err == nil && uid != 0 {
		who := Account{name: strconv.Itoa(uid), uid: uid, gid: gid, switchUser: true}
		if known, err := user.LookupId(who.name); err == nil {
			who.name = known.Username
		}
		return who, nil
	}
	return Unprivileged("PostgreSQL", unprivileged...)
}

// Unprivileged is the first of these users that exists, for a program to run as when this process is root; otherwise it
// is the zero Account.
func Unprivileged(program string, names ...string) (Account, error) {
	if os.Geteuid() != 0 {
		return Account{}, nil
	}
	for _, name := range names {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(found.Uid)
		gid, gidErr := strconv.Atoi(found.Gid)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return Account{}, fmt.Errorf("look up user %s: %w", name, err)
		}
		return Account{name: name, uid: uid, gid: gid, switchUser: true}, nil
	}
	return Account{}, fmt.Errorf("%s refuses to run as root, and none of the users %s exists to run it as", program,
		strings.Join(names, ", "))
}

func owner(path string) (uid, gid int, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, fmt.Errorf("no owner known of %s", path)
	}
	return int(stat.Uid), int(stat.Gid), nil
}

// closedParent returns the first folder above dir that the account may not enter, or "".
func (a Account) closedParent(dir string) string {
	var closed string
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		if info, err := os.Stat(parent); err == nil && !a.mayEnter(info) {
			closed = parent
		}
		if parent == filepath.Dir(parent) {
			return closed
		}
	}
}

// mayEnter reads the permission bits only: what an access list grants beyond them is not seen, and then the
// advice to open the folder is a little too careful.
func (a Account) mayEnter(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	mode := info.Mode().Perm()
	switch {
	case int(stat.Uid) == a.uid:
		return mode&0o100 != 0
	case int(stat.Gid) == a.gid:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

// own creates a folder, with parents anybody may enter, that belongs to the account and nobody else enters.
func (a Account) own(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("create the folder: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("create the folder: %w", err)
	}
	return a.Give(dir)
}

// Give makes the account the owner of a file or folder.
func (a Account) Give(path string) error {
	if !a.switchUser {
		return nil
	}
	if err := os.Lchown(path, a.uid, a.gid); err != nil {
		return fmt.Errorf("give %s to user %s: %w", path, a.name, err)
	}
	return nil
}

// write puts a file into a folder of the account, which alone may read it.
func (a Account) write(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	return a.Give(path)
}

// Credential is what makes a child run as the account; nil for the user of this process.
func (a Account) Credential() *syscall.Credential {
	if !a.switchUser {
		return nil
	}
	return &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
}

// maxSocketPath is the room for a path in sockaddr_un, the closing NUL included: macOS and FreeBSD have
// 104 bytes, Linux 108.
const maxSocketPath = 104

// socketDir is the folder itself when a socket's path in it is short enough, else a folder in /tmp.
func (a Account) socketDir(dir string) (string, error) {
	if len(filepath.Join(dir, ".s.PGSQL.65535.lock"))+1 <= maxSocketPath {
		return dir, nil
	}
	sum := sha256.Sum256([]byte(dir))
	short := filepath.Join("/tmp", "usher-"+hex.EncodeToString(sum[:6]))
	if err := a.privateFolder(short); err != nil {
		return "", fmt.Errorf("create a folder for the unix socket: %w", err)
	}
	return short, nil
}

// privateFolder makes a folder where anybody may make one: it must not be a link or belong to somebody else.
func (a Account) privateFolder(dir string) error {
	if err := os.Mkdir(dir, 0o700); err == nil {
		return a.Give(dir)
	} else if !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	mine := os.Geteuid()
	if a.switchUser {
		mine = a.uid
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(stat.Uid) != mine || info.Mode().Perm() != 0o700 {
		return fmt.Errorf("%s exists and is not a private folder of ours: remove it", dir)
	}
	return nil
}
