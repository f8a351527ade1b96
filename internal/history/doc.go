// Package history remembers what each pool was asked for: buckets of demand, kept apart from what the pool could give,
// because connections in use are cut off at the pool's size. It has the words and the arithmetic; what keeps buckets on
// disk is beneath it.
//
//   - [Recorder] makes buckets of samples, one a second.
//   - [Combine] and [Coarsen] put buckets together: parts that a restart left, and what is old.
//   - [Event] is what took place, as its calendar had it, because calendars forget. [Renew] and [Apart] tell which of
//     them are one.
//   - [Store] is what keeps them. history/sqlite and history/postgres do, and history/historytest has the tests that
//     both pass. history/keeper writes to a store from a queue, so that nobody waits for a disk.
//
// # What can go wrong, and what then
//
// A sample that cannot be (negative, not a number, of the year 1) is refused and changes nothing. After a counter went
// backwards, a gap, or a clock that jumped, the next sample counts no arrivals: it is not known of which time they
// are. A time that was not observed has no bucket, and one observed for a few seconds only says so by its Samples;
// Arrivals are those of the seconds that were observed. A time that is observed twice, because the clock was set
// back, is kept once.
package history
