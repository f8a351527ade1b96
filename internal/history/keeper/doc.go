// Package keeper writes the history from a queue, so that nobody who records waits for a disk or a network, and
// nothing is lost because a store is full, locked or away for a while.
//
// What is handed to a [Keeper] waits in memory until a store has acknowledged it. While there is trouble the keeper
// tries again and again, ever less often, and says so in its [State]; when its queue is full the oldest goes, and is
// counted. A store that says it is damaged is closed and opened anew, which for a file means that a new one is begun.
package keeper
