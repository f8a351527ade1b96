// Package watch looks at the pools once a second and carries out what emergencies need: the measures that package
// emergency decides on while critical statements are slow, and what an operator has ordered. Each is written into the
// ledger and the log with its reason.
//
//	Watch     begins and ends them (watch.go)
//	orders    an operator's: the reserve is open to more lanes for a time (orders.go)
//	measures  usher's own: lanes are shed and the target is raised (measures.go)
package watch
