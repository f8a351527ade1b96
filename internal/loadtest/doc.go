// Package loadtest shows whether usher keeps its promise on this machine: a connection in less than ten milliseconds,
// with ten thousand clients connected.
//
// It conducts processes that it starts and ends: a private PostgreSQL (or the one of a DSN), the pooler that is
// measured, and the clients (package crowd), which are in a process of their own so that they take nothing from usher
// but the processor. Phases follow each other, and each has verdicts. docs/load-test.md says what they mean.
//
// What is decided is apart from what is done: the plan of the phases (plan.go), the configuration of the poolers, the
// verdicts (judge.go) and the report (package report) are functions; everything else starts processes, tells them
// what to do and reads clocks.
package loadtest
