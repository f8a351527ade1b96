// Package externalscaler is KEDA's contract in Go: messages, the server's interface and a client. But for this comment
// it is generated from internal/keda/externalscaler.proto, by `make proto`.
package externalscaler
