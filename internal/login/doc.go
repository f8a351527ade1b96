// Package login takes a client from accept to its seat: TLS, start-up packet, authentication. Each client has
// a plain goroutine for as long as that lasts, unless it need not wait at all (Prompt). Who is authenticated is
// handed to a Seating and costs this package nothing more.
//
// # The way of a client
//
//	accept → [SSLRequest, GSSENCRequest, direct TLS] → start-up packet → authentication → Seat
//	                                                 ↘ CancelRequest → Cancel
//
// Errors go to the client as a row of package pgerr, and with their cause to the log. Whether a database
// exists is for the Seating to say, and so is told to nobody who has not proved who he is.
//
// # Bounds
//
// Every login ends within Config.Timeout. Options.MaxLogins of them run at a time; more clients wait in the
// kernel's accept queue, so a crowd costs neither memory nor descriptors, and silent clients hold others up
// for the timeout at most. Key derivations and the like, which are all CPU, run at most GOMAXPROCS at a time,
// apart from that number. When the process has no descriptor left, a spare one is given up for the moment it
// takes to tell one client so.
//
// # System calls
//
// A trusted login without TLS is one accept, one read and one write on Linux. Where Listen has made the
// listener, the kernel keeps a client to itself until its start-up packet is there. It is accepted as a bare
// descriptor, which the runtime's poller never sees unless the login has to wait; the packet is read with
// whatever comes behind it, which is given back to the carrier; and Client.Welcome sends everything at once. With
// a Prompt all of that happens on an event loop.
package login
