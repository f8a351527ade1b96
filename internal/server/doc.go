// Package server puts usher together: from a configuration it makes the relay with its pools, the logins on
// every listener, the console, the HTTP server, and it carries out what an operator orders, by the console or
// by a signal.
//
// # Who owns what
//
//	Server    the parts, their beginning and their end (server.go, shutdown.go)
//	routes    which pool a client belongs to; pools made on demand (routes.go, evict.go)
//	settings  a configuration and what was read with it: users, certificates (settings.go)
//	orders    what an operator has ordered: paused, disabled, suspended (orders.go)
//
// Pure parts, which open nothing: rules.go turns a pool of the configuration into rules of the relay,
// startup.go a client's start-up parameters into those of its session, permission.go says who may use the
// console, plan.go what a reload must do, signals.go what a signal means.
//
// # A reload
//
// The file is loaded, and everything it names is read. Only when all of that has succeeded is anything
// changed: a reload happens or it does not. Then every pool gets its new rules; those whose server
// connections would be opened in another way from now on replace the open ones as they come free. Clients
// keep their connection, unless their pool is gone. One reload runs at a time.
package server
