// Package wire frames PostgreSQL's protocol version 3: message types, the five-byte header, the start-up packets, and
// parsers and builders for the few messages usher reads or writes itself.
//
// Everything works on byte slices the caller owns. Parsers return sub-slices of their input, valid as long as the input
// is, and check every bound: their input is hostile. Builders append to a slice and return it, as append does. Nothing
// here reads a socket, logs, or has a policy.
//
// Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol", sections "Message Formats" and
// "Error and Notice Message Fields".
package wire
