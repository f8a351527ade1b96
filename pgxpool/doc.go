// Package pgxpool is usher with the API of github.com/jackc/pgx/v5/pgxpool, for programs that are written for
// that: change the import path, and connections are given out by usher's engine. Nothing else need change
// where the common part of the API is used; what is missing is listed in method_test.go with the reason, and
// docs/library.md says what is different.
//
// Requests wait in the lane of their context ([github.com/usher-pg/usher.ContextWithLane]), or else in
// Config.Lane. [Config.Tune] sets what pgxpool has no word for: the reserve, queue timeouts, and so on.
//
// [Of] makes a Pool of a pool that a [github.com/usher-pg/usher.Manager] owns.
package pgxpool
