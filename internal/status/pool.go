package status

import "time"

// Pool is a set of server connections to one database with one identity.
type Pool struct {
	Name             string        `json:"name"`
	Database         string        `json:"database"`
	User             string        `json:"user"`
	Mode             string        `json:"mode"`
	LoadBalanceHosts string        `json:"load_balance_hosts,omitempty"` // only with several hosts
	Clients          ClientCounts  `json:"clients"`
	Servers          ServerCounts  `json:"servers"`
	MaxWait          time.Duration `json:"max_wait_ns"` // of the waiter that waits longest
	Paused           bool          `json:"paused,omitempty"`
	Disabled         bool          `json:"disabled,omitempty"`

	Min         int `json:"min"`
	Max         int `json:"max"`
	Target      int `json:"target"`
	Limit       int `json:"limit"`   // of what ordinary requests may have at once
	Busy        int `json:"busy"`    // server connections in use, those of the reserve included
	Reserve     int `json:"reserve"` // server connections held beyond the target for emergencies
	ReserveUsed int `json:"reserve_used"`
	Budget      int `json:"budget"` // what the database server's budget would let this pool have, 0: no limit

	Opened      uint64  `json:"opened"`
	OpenFailed  uint64  `json:"open_failed"`
	Closed      []Count `json:"closed,omitempty"` // by reason
	Emergencies uint64  `json:"emergencies"`      // reserve connections granted
	Pinned      int     `json:"pinned"`           // clients pinned now
	Pins        []Count `json:"pins,omitempty"`   // clients ever pinned, by reason
	Refused     []Count `json:"refused,omitempty"`
	Exceeded    []Count `json:"exceeded,omitempty"` // requests for a lane beyond the grant: lowered, refused
	IdleEnded   uint64  `json:"idle_ended"`         // clients idle in a transaction that were ended for a critical request
	Lanes       []Lane  `json:"lanes,omitempty"`    // highest first

	Service Distribution `json:"service"` // from a server connection's grant to its release

	// Failing is true while no server connection is open and the last attempt to open one failed.
	Failing   bool   `json:"failing,omitempty"`
	LastError string `json:"last_error,omitempty"` // of the last failed attempt
}

// Utilisation is which part of what ordinary requests may have is in use. With the reserve it may exceed 1.
func (p *Pool) Utilisation() float64 {
	if p.Limit == 0 {
		return 0
	}
	return float64(p.Busy) / float64(p.Limit)
}

// ClientCounts are the clients of a pool by state.
type ClientCounts struct {
	Idle          int `json:"idle"`
	Linked        int `json:"linked"`
	Waiting       int `json:"waiting"`
	Held          int `json:"held"`
	ActiveCancel  int `json:"active_cancel"`
	WaitingCancel int `json:"waiting_cancel"`
}

// Total is the clients that are connected; cancel requests are not.
func (c ClientCounts) Total() int { return c.Idle + c.Linked + c.Waiting + c.Held }

// ServerCounts are the server connections of a pool by state.
type ServerCounts struct {
	Active        int `json:"active"`
	ActiveCancel  int `json:"active_cancel"`
	BeingCanceled int `json:"being_canceled"`
	Idle          int `json:"idle"`
	Used          int `json:"used"`
	Tested        int `json:"tested"`
	Login         int `json:"login"`
}

// Total is the server connections that are open or being opened.
func (s ServerCounts) Total() int {
	return s.Active + s.ActiveCancel + s.BeingCanceled + s.Idle + s.Used + s.Tested + s.Login
}

// Lane is one priority class of a pool.
type Lane struct {
	Name        string       `json:"name"`
	Waiting     int          `json:"waiting"`
	Requests    uint64       `json:"requests"`
	Cancelled   uint64       `json:"cancelled"`          // requests withdrawn while they waited
	Emergencies uint64       `json:"emergencies"`        // reserve connections granted
	Shed        uint64       `json:"shed"`               // requests refused because the lane was being shed
	Shedding    bool         `json:"shedding,omitempty"` // its requests are refused now
	Acquisition Distribution `json:"acquisition"`        // from reading a request to its server connection
	Statement   Distribution `json:"statement"`          // from reading a request to its ReadyForQuery
}

// Budget is how many connections all pools may have open on one database server.
type Budget struct {
	Server string `json:"server"` // host:port
	Limit  int    `json:"limit"`  // 0: no limit
	Used   int    `json:"used"`
}
