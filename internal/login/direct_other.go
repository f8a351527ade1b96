//go:build !linux

package login

import (
	"net"
	"os"

	"github.com/usher-pg/usher/internal/carrier"
)

// direct is for Linux only: elsewhere clients are accepted by package net.
type direct struct {
	file *os.File
	fd   int
}

func newDirect(net.Listener) *direct { return nil }

func (d *direct) accept() (*carrier.Conn, error)    { panic("bug: accept of no listener") }
func (d *direct) acceptNow() (*carrier.Conn, error) { panic("bug: accept of no listener") }
func (d *direct) strip(net.Listener) error          { panic("bug: strip of no listener") }
func (d *direct) close()                            { panic("bug: close of no listener") }
