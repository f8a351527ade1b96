// Package history remembers what each pool was asked for: buckets of demand, kept apart from what the pool could give,
// because connections in use are cut off at the pool's size. It has the words and the arithmetic; what keeps buckets on
// disk is beneath it.
package history
