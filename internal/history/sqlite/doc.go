// Package sqlite keeps the history in one file. It is what usher does unless told otherwise.
//
// # A day is a row
//
// The buckets of a pool and a day are one row, packed (see day.go), because a forecast reads a year at once and a
// bucket is written every five minutes only: a year of five-minute buckets, 105,120, is read in 15 ms, and takes
// 144 ms with a row for each. Writing one bucket, which packs its day anew and waits for the disk, takes 0.4 ms
// either way. So are the events of a calendar and a day: 5,200 of a year are read in 2 ms (see event_day.go).
//
// # The file
//
// It has mode 0600 and a write-ahead log beside it, so that others can read while usher writes. What Append and the
// like have acknowledged is on disk (synchronous=FULL), also if the machine stops the moment after.
//
// A file that is damaged is moved aside, as NAME.corrupt-TIME with its log, and a new one is begun; nothing is
// deleted. So is a single row whose checksum does not fit, into the table damaged or damaged_event. Both are told. A
// file of a newer usher or of another program is an error and stays as it is; one of an older usher is brought up to
// date, or read as it is where it can only be read.
package sqlite
