// Package simulation tries usher's brain on a year that nobody has lived through: it generates the demand of a wedding
// platform with everything that goes wrong, and lets policies decide sizes in it. It is pure, and the same seed gives
// the same year.
//
// # The year
//
// Demand is what people do on ordinary days, by the hour, times growth, times noise that lasts; plus what Friday
// evenings, Saturdays and Sundays bring anyway; plus weddings. Weddings are published weeks ahead with their guests,
// who trickle in before it begins and come with a push message when it does: most of a wedding's load is there within
// a minute. Some weddings are cancelled, some at the last minute, and some are published on the day. There are days of
// 23 and 25 hours, a database that is out, an outage elsewhere that looks like silence, both with a storm of retries
// after them, a day on which something goes viral, and an operator whose rules of thumb are wrong by 2.5 times.
//
// # The queue
//
// Within buckets of five minutes time goes in steps of ten seconds where somebody could have to wait. The share of
// requests that wait is staffing's for the connections that are open; what exceeds them queues up and is worked off,
// and then everybody waits, or is turned away after queueMost. A connection opened counts a step after the decision,
// and half for its first minute, while its caches are cold. Policies observe what has passed, never what is.
//
// # The policies
//
// Static has all year what the year's greatest load needs. Reactive and Ours are the same scaler, with the same ramps
// and thresholds, without and with the forecast. Oracle knows the demand of the next minutes and has just what it
// needs.
package simulation
