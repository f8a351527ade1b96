// Package staffing turns demand into server connections by queueing theory: how many are needed so that few requests
// wait long. It is pure.
package staffing
