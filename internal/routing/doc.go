// Package routing says which pool a client belongs to, and makes the pools.
//
// Clients share a pool when they ask for the same database and its server connections log in as the same
// user: where the configuration forces a user, all clients of a database share one pool; where it does not,
// each user has one, made when the first client comes. So have databases without an entry of their own, which
// the entry "*" serves. Pools made on demand are bounded in number, and dropped when nobody has used them for
// a while.
//
// Settings are a configuration and what it names, read: users, certificates. A reload gives the Table other
// settings, and it gives every pool its new rules (rules.go); plan.go decides what becomes of a pool whose
// database is gone or leads elsewhere.
//
// identity.go has how a server connection is opened: where, as whom, by which secret.
package routing
