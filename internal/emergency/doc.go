// Package emergency decides which measures a pool takes while its critical statements are too slow: whose requests it
// refuses, and how many server connections it asks for. It is a function of what was observed and when; who calls it
// carries out the steps and logs their reasons.
//
// # Slow
//
// Statements are judged in samples. A sample is long enough for its share of slow statements to mean something, and no
// longer than Rules.Window. It is slow if more than Rules.SlowShare of its statements took longer than Rules.Target,
// and fine if at most half of that share did: in between, nothing begins and nothing ends. Statements that are still
// under way and late already count as slow, or a database that answers nobody would look idle. No statements are no
// breach: a silent pool is fine, and a slow statement or two on a quiet day are nothing either.
//
// # Steps
//
// When samples have been slow for Rules.Window, one measure begins: the lowest lane is shed, then the one above it, as
// far as Rules.Shed allows, then the target is raised by half, again and again up to the pool's size. Each begins only
// when samples have been slow for another Window since the one before.
//
// When samples have been fine for Rules.Hold, the last measure ends, and after another Hold the one before it. What was
// shed comes back then, and may be too much again: each such relapse doubles the hold, up to holdMost times, until all
// has been well for that long without any measure.
package emergency
