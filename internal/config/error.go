package config

import (
	"fmt"

	"github.com/usher-pg/usher/internal/config/source"
)

// Error is one thing that is wrong in a configuration, with where it stands and what was expected.
type Error = source.Error

// Errors is everything wrong that was found in one go.
type Errors = source.Errors

// MaxFileSize bounds a configuration file.
const MaxFileSize = source.MaxFileSize

// errorf makes an error that completes a sentence whose subject is the option.
func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }
