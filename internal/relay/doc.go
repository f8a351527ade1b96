// Package relay is the data path: it carries messages between clients and server connections on event loops.
//
// A client is idle, waiting, linked or closing; a server connection is idle, linked, resetting or cancelling
// (place.go). A client that sends a request and has no server connection asks the pool's engine for one, waits if it
// must, is linked to it, and gives it back when one predicate says so (server.releasable in link.go). In between,
// messages stream through as they come: a loop has one scratch buffer to read into, and writes from it. Only the few
// messages that must be rewritten, or understood, wait to be whole.
//
// What reads best first: client_feed.go (what a client may send and what becomes of it), link.go (how it gets and
// gives back a server connection), server_feed.go (what comes back), replies.go (why answers never get out of
// order).
//
// Everything a loop owns is touched on its goroutine only. Other goroutines reach it by its mailbox: logins
// (Relay.Seat), cancel requests (Relay.Cancel), freshly opened server connections, the console.
package relay
