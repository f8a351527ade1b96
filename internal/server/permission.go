package server

import (
	"net"
	"slices"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/console"
)

// defaultAdmin is who administers a usher whose configuration names nobody: PostgreSQL's customary superuser.
const defaultAdmin = "postgres"

// permissionOf is what a user who has logged in may do on the console, 0 for nothing. As long as the
// configuration names nobody, the user postgres may administer usher from the machine it runs on: whoever is
// that user can do more to the database than to usher.
func permissionOf(c *config.Config, user string, remote net.Addr) console.Permission {
	switch {
	case slices.Contains(c.AdminUsers, user):
		return console.Admin
	case slices.Contains(c.StatsUsers, user):
		return console.Stats
	case len(c.AdminUsers)+len(c.StatsUsers) == 0 && user == defaultAdmin && isLocal(remote):
		return console.Admin
	}
	return 0
}

// isLocal reports whether a client is on this machine.
func isLocal(remote net.Addr) bool {
	switch a := remote.(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	}
	return false
}
