// Package auth decides who somebody is. It opens no socket and reads no clock: login and backend carry its
// messages.
//
// # Clients
//
// Users is what the users file says, in PgBouncer's format. An Exchange is usher's side of one
// authentication: Start gives the message to send first, Next takes a client's answer and gives the next
// message, until it is done or fails.
//
//	exchange := users.Begin(auth.SCRAM, name, binding)
//	send(exchange.Start())
//	for !done { reply, done, err = exchange.Next(receive()) }
//
// A user who does not exist gets an exchange too, the mock of one: the same messages with the same iteration
// count, a salt that is the same every time for the same name, and the same work, so that neither the wire
// nor the clock tells who exists. Its end is always the wrong password. A user without a password, or with
// one that the method cannot use, is treated in the same way. What the client is told is in package pgerr;
// the true reason is the error's cause, for the log.
//
// # Servers
//
// Credentials are what usher knows to prove that it is a user; a Responder answers one server's
// authentication requests with them. Credentials may be a password, its md5 hash, or the keys of a SCRAM
// exchange that a client has just won (pass-through): whoever proves to know the password to somebody who
// holds the verifier shows the ClientKey, and with it a login at the server is possible if the server holds
// the same verifier. The password itself is never known then.
//
// # Libraries
//
// The server's side of SCRAM is github.com/xdg-go/scram. The client's side is ours, because that library can
// only begin with a password, and pass-through begins with the keys; tests hold the two against each other.
package auth
