// Command usher seats many PostgreSQL clients on few server connections.
//
// Its exit code is 0 when it has done what it was asked to, 1 when it failed, and 2 when it was called
// wrongly or with a configuration that has errors.
package main

import (
	"errors"
	"fmt"
	"os"
)

// Exit codes.
const (
	exitFailed  = 1
	exitMisused = 2
)

func main() {
	err := rootCommand().Execute()
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "usher: %v\n", err)
	os.Exit(exitCode(err))
}

// misuse is an error of whoever called usher: a flag, an argument, or the configuration.
type misuse struct{ error }

func (m misuse) Unwrap() error { return m.error }

func exitCode(err error) int {
	if _, ok := errors.AsType[misuse](err); ok {
		return exitMisused
	}
	return exitFailed
}
