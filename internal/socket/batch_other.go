//go:build !linux

package socket

import (
	"errors"
	"syscall"
)

// Batch is for Linux only.
type Batch struct{}

// NewBatch fails: elsewhere every message is a system call of its own.
func NewBatch(int) (*Batch, error) { return nil, errors.ErrUnsupported }

// Len is 0.
func (b *Batch) Len() int { return 0 }

// Send is never called.
func (b *Batch) Send(int, []byte) { panic("bug: a batch there cannot be") }

// Receive is never called.
func (b *Batch) Receive(int, []byte) { panic("bug: a batch there cannot be") }

// Keep is never called.
func (b *Batch) Keep(int) { panic("bug: a batch there cannot be") }

// Forget is never called.
func (b *Batch) Forget(int) { panic("bug: a batch there cannot be") }

// Run is never called.
func (b *Batch) Run(func(i, n int, errno syscall.Errno)) error { panic("bug: a batch there cannot be") }

// Close is never called.
func (b *Batch) Close() { panic("bug: a batch there cannot be") }
