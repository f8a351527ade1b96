// Package crowd is the clients of the load test: thousands of PostgreSQL connections in a process of their own, on one
// event loop, driven by commands on its standard input.
//
// A Command is a line of JSON, and so is each Report that answers it; the last report of a command says Done. Commands
// come one after the other. When the input ends, so does the crowd: whoever starts it cannot leave it behind.
//
// # Open loop
//
// Requests arrive when the plan says, not when a client happens to be free. Each lane has a rate as a function of time;
// its arrivals are a Poisson process that depends on a seed alone (Arrivals). An arrival goes to the client of its lane
// that has been idle for longest, so that all of them take part. If none is idle, it waits here, and its latency counts
// from the time at which it was intended all the same: a pooler that stalls cannot hide the requests that it has kept
// from being sent (that is called coordinated omission).
//
// Every time is taken on the loop: latency ends when ReadyForQuery has been read. How late the loop itself sent what
// was due, though a client was idle, is measured too (Outcome.Lateness): it says when the generator was not up to its
// task.
//
// # When the server began
//
// If the rows of the work say when PostgreSQL received the statement (Work.BeganColumn), and PostgreSQL runs by the
// same clock, the time from the intended send to that moment is measured as well. It bounds from above what a client
// feels of the acquisition, whatever the pooler, and whatever the pooler says about itself.
package crowd
