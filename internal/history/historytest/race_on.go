//go:build race

package historytest

// slow is set where the race detector makes SQLite, which is a translation to Go, ten times as slow.
const slow = true
