package web

import (
	"net/http"

	"github.com/usher-pg/usher/internal/status"
)

const scalePath = "/api/v1/scale"

// scaleOrder is the body of a POST to /api/v1/scale: what SCALE takes on the console.
//
//	{"pool": "app", "target": 60, "for": "2h", "reason": "a rehearsal nobody has told the calendar"}
//	{"pool": "app", "auto": true}
type scaleOrder struct {
	Pool   string `json:"pool"`
	Target *int   `json:"target"`
	Auto   bool   `json:"auto"`
	For    string `json:"for"`
	Reason string `json:"reason"`
}

func (o *scaleOrder) check() string {
	switch {
	case o.Pool == "":
		return "pool is missing"
	case o.Auto == (o.Target != nil):
		return "one of target and auto is needed"
	case o.Auto && (o.For != "" || o.Reason != ""):
		return "auto takes a pool only"
	}
	return ""
}

// scale carries out an order.
func (s *Server) scale(w http.ResponseWriter, r *http.Request) {
	var o scaleOrder
	s.carryOut(w, r, &o, func(by string) error {
		if o.Auto {
			return s.config.Operator.EndScale(r.Context(), o.Pool, by)
		}
		return s.config.Operator.Scale(r.Context(), status.ScaleOrder{
			Pool: o.Pool, Target: *o.Target, For: o.For, By: by, Reason: o.Reason,
		})
	})
}
