// Package archtest holds the architecture and the house rules as tests. It has no code of its own to import.
//
// imports_test.go has the import table: one row for each package, with what of ours and what of others it may
// import. The table is docs/architecture.md in a form that cannot drift: the data path never imports what
// renders it, configures it or decides for it, and whoever wants that has to change the table, where it is
// seen.
//
// budgets_test.go has the limits of size with their exceptions, each with its reason. rules_test.go has the
// rest: package comments, panics, goroutines, sleeping tests.
//
// All of it reads the sources, every file of every operating system, and asks nobody else. A rule is a
// function from sources to findings, and each is tried in self_test.go on a source that breaks it.
package archtest
