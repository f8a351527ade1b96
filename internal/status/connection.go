package status

import "time"

// ClientState is where a client is. The strings are PgBouncer's.
type ClientState string

// The states of a client. A client in ClientActive has a server connection; a held client (PAUSE) is ClientWaiting.
const (
	ClientActive        ClientState = "active"
	ClientIdle          ClientState = "idle"
	ClientWaiting       ClientState = "waiting"
	ClientLogin         ClientState = "login"
	ClientActiveCancel  ClientState = "active_cancel_req"
	ClientWaitingCancel ClientState = "waiting_cancel_req"
)

// ServerState is where a server connection is. The strings are PgBouncer's.
type ServerState string

// The states of a server connection. Tested means that usher itself is talking to it: reset, probe, replay.
const (
	ServerActive        ServerState = "active"
	ServerIdle          ServerState = "idle"
	ServerUsed          ServerState = "used"
	ServerTested        ServerState = "tested"
	ServerNew           ServerState = "new"
	ServerActiveCancel  ServerState = "active_cancel"
	ServerBeingCanceled ServerState = "being_canceled"
)

// Replication is whether a connection speaks the replication protocol. The strings are PgBouncer's.
type Replication string

// The kinds of replication connection.
const (
	ReplicationNone     Replication = "none"
	ReplicationLogical  Replication = "logical"
	ReplicationPhysical Replication = "physical"
)

// Connection is what clients and server connections have in common.
type Connection struct {
	// ID is never used twice, and clients and server connections draw from one sequence, so that Link names one thing.
	ID           uint64        `json:"id"`
	Link         uint64        `json:"link,omitempty"` // ID of the other side while linked, else 0
	User         string        `json:"user"`
	Database     string        `json:"database"` // the name the client asked for
	Replication  Replication   `json:"replication,omitempty"`
	Address      string        `json:"address"` // "unix" for a Unix socket
	Port         int           `json:"port"`
	LocalAddress string        `json:"local_address"`
	LocalPort    int           `json:"local_port"`
	ConnectedAt  time.Time     `json:"connected_at"`
	RequestedAt  time.Time     `json:"requested_at,omitzero"` // when the last request came in
	Wait         time.Duration `json:"wait_ns,omitempty"`     // how long the request at hand has waited
	CloseNeeded  bool          `json:"close_needed,omitempty"`
	RemotePID    int           `json:"remote_pid,omitempty"` // peer of a Unix socket, or the backend's
	TLS          string        `json:"tls,omitempty"`        // version and cipher, "" without TLS
	Application  string        `json:"application_name,omitempty"`
	Statements   int           `json:"prepared_statements"`
	Descriptor   int           `json:"descriptor"`
	Loop         int           `json:"loop"`
	Unsent       int           `json:"unsent_bytes,omitempty"` // queued because the peer reads slowly
	Unread       int           `json:"unread_bytes,omitempty"` // of the message being forwarded, still to come
}

// Client is a connection from an application.
type Client struct {
	Connection
	State     ClientState `json:"state"`
	Lane      string      `json:"lane,omitempty"`
	PinReason string      `json:"pin_reason,omitempty"` // why it keeps its server connection, "" when it does not
	Pins      uint64      `json:"pins,omitempty"`       // how often it was pinned
	Held      bool        `json:"held,omitempty"`       // waits because of PAUSE, not for want of a server connection
}

// Server is a connection to PostgreSQL.
type Server struct {
	Connection
	State      ServerState `json:"state"`
	Reserve    bool        `json:"reserve,omitempty"` // beyond the pool's target
	ReplacedAt time.Time   `json:"replaced_at,omitzero"`
}
