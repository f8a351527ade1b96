// Package carrier holds Conn, a net.Conn that begins on a goroutine and ends in an event loop.
//
// A login needs blocking reads, deadlines and a TLS handshake; a relay needs a bare descriptor that never
// blocks. Conn is both, one after the other. In goroutine mode Read and Write wait as those of package net
// do. Detach ends it: from then on they are system calls on a descriptor that the loop watches.
//
// A Conn of a net.Conn (New) waits by that, and needs a descriptor of its own to be detached. A Conn of a
// descriptor (Accepted) tries without waiting first; only when it must wait it is registered with the
// runtime's poller. Most logins without TLS never have to, and are detached for nothing.
//
// # Below TLS
//
// A Conn may lie below a crypto/tls.Conn all the time: the handshake runs in goroutine mode, the records in
// loop mode. Two properties make this work, both read from crypto/tls/conn.go and held by tests here:
//
//   - an error of the underlying Read that is a net.Error with Temporary() == true is passed on and not
//     remembered (readRecordOrCCS); what was read of a record stays buffered. So Read returns ErrWouldBlock
//     on EAGAIN.
//   - every error of the underlying Write is remembered for ever. So Write never fails because the socket is
//     full: it queues what could not be sent, and Flush sends it when the poller says that there is room.
//
// A record may hold more than the reader asked for, and tls.Conn may hold further records: whoever reads from
// TLS reads until ErrWouldBlock, and once without being woken after the hand-over.
//
// # Ownership
//
// A Conn belongs to one goroutine at a time. Nothing in it is locked: handing it to a loop must itself order
// memory, as a channel or a mutex does.
package carrier
