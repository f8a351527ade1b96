package server

import (
	"net"
	"testing"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/console"
)

func TestConsolePermission(t *testing.T) {
	t.Parallel()
	near := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5}
	near6 := &net.TCPAddr{IP: net.IPv6loopback, Port: 5}
	far := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 5}
	socket := &net.UnixAddr{Net: "unix"}
	for name, tt := range map[string]struct {
		admins, stats []string
		user          string
		from          net.Addr
		want          console.Permission
	}{
		"an admin from anywhere":                        {[]string{"boss"}, nil, "boss", far, console.Admin},
		"a stats user":                                  {nil, []string{"eye"}, "eye", far, console.Stats},
		"who is both may act":                           {[]string{"x"}, []string{"x"}, "x", far, console.Admin},
		"somebody else":                                 {[]string{"boss"}, nil, "app", near, 0},
		"postgres is nobody once somebody is named":     {[]string{"boss"}, nil, "postgres", near, 0},
		"postgres is nobody once a stats user is named": {nil, []string{"eye"}, "postgres", near, 0},
		"postgres from this machine":                    {nil, nil, "postgres", near, console.Admin},
		"postgres from this machine by IPv6":            {nil, nil, "postgres", near6, console.Admin},
		"postgres by a socket":                          {nil, nil, "postgres", socket, console.Admin},
		"postgres from elsewhere":                       {nil, nil, "postgres", far, 0},
		"another user from this machine":                {nil, nil, "app", near, 0},
		"nobody":                                        {nil, nil, "", near, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &config.Config{AdminUsers: tt.admins, StatsUsers: tt.stats}
			if got := permissionOf(c, tt.user, tt.from); got != tt.want {
				t.Errorf("permission %v, want %v", got, tt.want)
			}
		})
	}
}
