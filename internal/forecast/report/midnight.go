package report

import "time"

// Midnight is the beginning of the local day that many days after t's.
func Midnight(t time.Time, days int) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day()+days, 0, 0, 0, 0, t.Location())
}
