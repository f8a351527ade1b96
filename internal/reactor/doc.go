// Package reactor runs event loops: one goroutine locked to one thread that waits for descriptors to become ready,
// hands each to a Handler, reads its mailbox, and lets the handler do what is due.
//
// A descriptor belongs to one loop at a time, and only the loop's goroutine may touch it. Everything else reaches a
// loop by Post. What a handler leaves unread is reported again in the next turn, unless it has asked for Once.
//
// Loops exist because a goroutine for every client costs two more reads that find nothing and two more context
// switches a transaction: 1.3 times PgBouncer's CPU where a loop needs 0.9 times (docs/adr/0001-event-loops.md).
package reactor
