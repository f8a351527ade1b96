package server

import (
	"net"
	"testing"
)

func TestAddressesAsTheConsoleShowsThem(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		address net.Addr
		host    string
		port    int
	}{
		{&net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 5432}, "10.1.2.3", 5432},
		{&net.TCPAddr{IP: net.IPv6loopback, Port: 5432}, "::1", 5432},
		{&net.UnixAddr{Name: "/run/.s.PGSQL.6432", Net: "unix"}, "unix", 6432},
		{&net.UnixAddr{Name: "", Net: "unix"}, "unix", 0},
		{&net.UnixAddr{Name: "@odd", Net: "unix"}, "unix", 0},
		{nil, "", 0},
	} {
		if host, port := hostAndPort(tt.address); host != tt.host || port != tt.port {
			t.Errorf("%v: %s %d", tt.address, host, port)
		}
	}
}
