package web

import (
	"net/http"

	"github.com/usher-pg/usher/internal/status"
)

const emergencyPath = "/api/v1/emergency"

// order is the body of a POST to /api/v1/emergency: what EMERGENCY takes on the console.
//
//	{"action": "on", "pool": "app", "for": "30m", "lane": "normal", "reason": "the ceremony runs late"}
//	{"action": "off", "pool": "app"}
//
// Without a pool it is about all of them.
type order struct {
	Action string `json:"action"` // "on" or "off"
	Pool   string `json:"pool"`
	For    string `json:"for"`
	Lane   string `json:"lane"`
	Reason string `json:"reason"`
}

// emergency carries out an order.
func (s *Server) emergency(w http.ResponseWriter, r *http.Request) {
	var o order
	s.carryOut(w, r, &o, func(by string) error {
		if o.Action == "on" {
			return s.config.Operator.BeginEmergency(r.Context(), status.EmergencyOrder{
				Pool: o.Pool, Lane: o.Lane, For: o.For, By: by, Reason: o.Reason,
			})
		}
		return s.config.Operator.EndEmergency(r.Context(), o.Pool, by)
	})
}

// check says what is wrong with an order before anybody is asked to carry it out.
func (o *order) check() string {
	switch {
	case o.Action != "on" && o.Action != "off":
		return `action must be "on" or "off"`
	case o.Action == "off" && (o.For != "" || o.Lane != "" || o.Reason != ""):
		return `action "off" takes a pool only`
	}
	return ""
}
