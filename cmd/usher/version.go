package main

import (
	"runtime/debug"
	"strings"
)

// release is the version this tree is or becomes.
const release = "0.1.0"

// version is the release, and of a build from a checkout the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	var commit string
	modified := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value[:min(len(s.Value), 12)]
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	parts := []string{release}
	if commit != "" {
		parts = append(parts, commit)
	}
	if modified {
		parts = append(parts, "modified")
	}
	return strings.Join(parts, "-")
}
