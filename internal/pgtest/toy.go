package pgtest

import (
	"net"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgproto3"
)

// StartToy starts a server for examples that should run anywhere: it lets everybody in, answers a simple query
// with the text between its first two quotes, and knows nothing else but begin and commit. The URL makes pgx
// send simple queries. It panics when it cannot start, because examples have nobody to tell.
func StartToy() (url string, stop func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic("bug: no toy server: " + err.Error())
	}
	var playing sync.WaitGroup
	playing.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // stopped
			}
			playing.Go(func() {
				defer conn.Close()
				toy(conn)
			})
		}
	})
	url = "postgres://app@" + listener.Addr().String() + "/app?sslmode=disable&default_query_exec_mode=simple_protocol"
	return url, func() {
		_ = listener.Close()
		playing.Wait() // for the clients to go
	}
}

func toy(conn net.Conn) {
	b := pgproto3.NewBackend(conn, conn)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	b.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte("none")})
	status := byte('I')
	for {
		b.Send(&pgproto3.ReadyForQuery{TxStatus: status})
		if err := b.Flush(); err != nil {
			return
		}
		message, err := b.Receive()
		if err != nil {
			return
		}
		query, ok := message.(*pgproto3.Query)
		if !ok {
			return // Terminate
		}
		switch strings.ToLower(query.String) {
		case "begin":
			status = 'T'
		case "commit", "rollback":
			status = 'I'
		}
		if _, text, ok := strings.Cut(query.String, "'"); ok {
			text, _, _ = strings.Cut(text, "'")
			b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{
				Name: []byte("text"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1,
			}}})
			b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte(text)}})
		}
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte(query.String)})
	}
}
