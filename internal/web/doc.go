// Package web is usher's HTTP server for machines that watch it: /healthz, /readyz, /metrics and /api/v1/status. It
// shows status.Snapshots; those paths answer GET and HEAD only, and change nothing.
//
//	/healthz        200 while the process runs. It asks nobody: a busy usher is alive.
//	/readyz         200 while clients should be sent here, else 503 with the reason; see Ready.
//	/metrics        what the handler given answers: Prometheus.
//	/api/v1/status  the snapshot as JSON; ?sections=pools,stats or all. Without it, everything but the lists of
//	                clients and server connections, and the fine buckets of acquisitions.
//	/api/v1/pools/{pool}/forecast  what is expected of a pool and what is planned, as JSON; ?horizon=24h.
//	/api/v1/emergency, /api/v1/scale  POST: an operator's order, see emergency.go and scale.go.
//
// Looking needs no login: listen where only those who may see usernames and addresses can connect. Ordering needs the
// token of the configuration, in a header that no browser sends by itself; without a token in the configuration it is
// off.
package web
