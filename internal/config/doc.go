// Package config turns the configuration file into a typed, checked Config.
//
// # The file
//
// The file is strict YAML: a key that no option has, a value of the wrong type or an impossible combination
// is an error that shows the file, the line, the column, the source and what was expected, and all errors of
// a file are reported at once. docs/config.md describes every option and examples/usher.yaml shows them; both
// are made from the same rows as the decoder:
//
//	go test ./internal/config -run TestDocs -rewrite
//
// # Options are rows
//
// An option is a row: its path, its documentation, whether a reload can change it, PgBouncer's name for it,
// and an accessor that gives its place in the struct together with the type that reads, checks and prints it
// (a value). Decoding, SHOW CONFIG, SET, Diff and the documentation walk the rows. To add an option, add a
// field and a row; a test walks the struct and fails for a field without a row.
//
// # Pools and their defaults
//
// What a pool does not set it takes from pool_defaults, what those do not set from Default. A pool's URL
// stands in between: it wins over pool_defaults, and a key of the pool wins over it. After Parse every Pool
// is complete, and remembers which options it chose itself, so that SET and Diff treat a default as one
// option and not as many.
//
// # Reload
//
// A Config is immutable once it is in use. A reload loads the file again; when that fails the old one stays
// in force. Diff says what changed, option by option, and whether it takes effect without a restart: options
// marked Reloadable do, for clients and server connections that exist too, as far as they can (a changed url
// or TLS option retires the server connections; a changed mode holds for the next transaction). SET changes
// one option until the next reload.
//
// # Hostile input
//
// A configuration can come from elsewhere, so its size, its nesting and what its aliases expand to are
// bounded. Passwords have a type that prints masked, and what errors quote is masked by its looks, since a
// file with an error cannot be trusted to have its password where one belongs.
package config
