// Package keda answers KEDA, the autoscaler of Kubernetes, as one of its external scalers: the forecast that sizes
// pools can size what uses them too. docs/keda.md tells how to set it up.
//
//	IsActive, StreamIsActive   whether the value is above `activation`
//	GetMetricSpec              one metric, and how much of it a replica is good for: `connectionsPerReplica`
//	GetMetrics                 the value
//
// The value is the greater of the demand measured now and what is expected from now until `lookAhead` later. A forecast
// only ever raises: who is busier than expected is as busy as that, and demand that was expected to go and has not is
// still there. Without a forecast the value is what is measured; without that there is none, and KEDA's `fallback`
// decides.
//
// KEDA sends the metadata of a trigger with every call, and nothing is kept between calls. Everything in it is hostile:
// it is bounded and checked, and an answer says what was expected. There is no login and no TLS: listen where only the
// cluster's KEDA can connect.
package keda
