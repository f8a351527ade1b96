package routing

import (
	"os"
	"slices"
	"time"
)

// stamp tells one state of a file from another.
type stamp struct {
	path     string
	size     int64
	modified time.Time
}

// stampsOf looks at files. One that cannot be seen has a stamp too: it may appear later.
func stampsOf(paths []string) []stamp {
	stamps := make([]stamp, len(paths))
	for i, path := range paths {
		stamps[i].path = path
		if info, err := os.Stat(path); err == nil {
			stamps[i].size, stamps[i].modified = info.Size(), info.ModTime()
		}
	}
	return stamps
}

// changed lists the files that are not as they were.
func changed(before []stamp) []string {
	paths := make([]string, len(before))
	for i := range before {
		paths[i] = before[i].path
	}
	var differing []string
	for i, now := range stampsOf(paths) {
		if now.size != before[i].size || !now.modified.Equal(before[i].modified) {
			differing = append(differing, now.path)
		}
	}
	return slices.Clip(differing)
}
