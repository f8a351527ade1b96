// Package backend opens one connection to a PostgreSQL server: from dialling to the first ReadyForQuery, TLS
// and authentication between them. It runs on the caller's goroutine and is bounded by the caller's context;
// nothing of it is left when Dial returns but the connection, which Detach makes ready for an event loop.
//
//	conn, err := backend.Dial(ctx, &config)
//	fd, err := conn.Detach()
//
// Conn.Cancel asks the server to cancel what a connection is doing, by a connection of its own to the same
// address.
//
// # A hostile server
//
// Every message of a login has a limit, and so has their number. What a server may not send at its moment
// ends the login: an answer to the TLS request with bytes behind it, which would be taken for encrypted ones;
// authentication that ends before the server has proved to know the secret; anything behind ReadyForQuery.
//
// # Encryption
//
// The modes are libpq's sslmode. allow tries without TLS first and prefer with it; the other way is tried
// when the server refuses the first one for its pg_hba.conf (SQLSTATE 28000), or, in mode prefer, when TLS
// itself fails. As in libpq there is no TLS over a unix socket, and mode require verifies the certificate too
// when there is a certificate authority to do it with.
package backend
