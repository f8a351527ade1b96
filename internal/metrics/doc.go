// Package metrics is usher's Prometheus catalogue. It reads a status.Snapshot when it is scraped and keeps nothing
// of its own, so that metrics, console and web pages never disagree. It is the only package that imports the
// Prometheus client.
//
// Every metric is a row of the catalogue (catalogue.go): name, type, labels, help, and a function of the snapshot.
// Names begin with usher_, units are Prometheus' base units (seconds, bytes), counters end in _total. What is said
// of a pool carries the labels database and user; lane and reason say more. The catalogue is held by a golden file,
// because a dashboard breaks when a metric is renamed.
package metrics
