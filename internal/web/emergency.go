package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"

	"github.com/usher-pg/usher/internal/status"
)

// Operator is what can be ordered over HTTP.
type Operator interface {
	BeginEmergency(ctx context.Context, order status.EmergencyOrder) error
	EndEmergency(ctx context.Context, pool, by string) error
}

const (
	emergencyPath = "/api/v1/emergency"
	// maxOrder bounds the body of an order: its texts have a few hundred bytes. Ours.
	maxOrder = 4 << 10
)

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

// emergency carries out an order. Its answers are JSON: {"ok": true}, or {"error": "why not"}.
func (s *Server) emergency(w http.ResponseWriter, r *http.Request) {
	by := "http " + r.RemoteAddr
	if code, why := s.authorize(r); code != 0 {
		s.config.Log.Warn("order over http refused", slog.String("by", by), slog.String("why", why))
		if code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="usher"`)
		}
		refuse(w, code, why)
		return
	}
	o, code, why := readOrder(w, r)
	if code != 0 {
		refuse(w, code, why)
		return
	}
	var err error
	if o.Action == "on" {
		err = s.config.Operator.BeginEmergency(r.Context(), status.EmergencyOrder{
			Pool: o.Pool, Lane: o.Lane, For: o.For, By: by, Reason: o.Reason,
		})
	} else {
		err = s.config.Operator.EndEmergency(r.Context(), o.Pool, by)
	}
	if err != nil {
		s.refuseOrder(w, err)
		return
	}
	answerJSON(w, http.StatusOK, map[string]bool{"ok": true})
}

// authorize says why a request may order nothing, or 0. The header is one that a browser only sends for a page that
// already knows the token, so that no other page can order by somebody's browser.
func (s *Server) authorize(r *http.Request) (code int, why string) {
	token := s.config.Token()
	if token == "" {
		return http.StatusForbidden, "orders over http are off: set http_admin_token in usher's configuration"
	}
	scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got, want := sha256.Sum256([]byte(sent)), sha256.Sum256([]byte(token)) // of one length, which is all that shows
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return http.StatusUnauthorized, "the token is missing or wrong: send Authorization: Bearer <http_admin_token>"
	}
	return 0, ""
}

// readOrder reads the body, or says what is wrong with it.
func readOrder(w http.ResponseWriter, r *http.Request) (o order, code int, why string) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return o, http.StatusUnsupportedMediaType, "the order must be application/json"
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&o)
	if err == nil && !errors.Is(decoder.Decode(new(any)), io.EOF) {
		err = errors.New("there is more behind the order")
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return o, http.StatusRequestEntityTooLarge, "the order is too long"
	}
	switch {
	case err != nil:
		return o, http.StatusBadRequest, "the order cannot be read: " + err.Error()
	case o.Action != "on" && o.Action != "off":
		return o, http.StatusBadRequest, `action must be "on" or "off"`
	case o.Action == "off" && (o.For != "" || o.Lane != "" || o.Reason != ""):
		return o, http.StatusBadRequest, `action "off" takes a pool only`
	}
	return o, 0, ""
}

// refuseOrder says why an order was not carried out.
func (s *Server) refuseOrder(w http.ResponseWriter, err error) {
	refused, ok := errors.AsType[*status.Refusal](err)
	if !ok {
		s.config.Log.Error("order over http failed", slog.Any("error", err))
		refuse(w, http.StatusInternalServerError, "the order failed")
		return
	}
	code := http.StatusConflict
	switch refused.Cause {
	case status.NoSuchPool:
		code = http.StatusNotFound
	case status.InvalidValue:
		code = http.StatusBadRequest
	}
	refuse(w, code, refused.Text)
}

func refuse(w http.ResponseWriter, code int, why string) {
	answerJSON(w, code, map[string]string{"error": why})
}

func answerJSON(w http.ResponseWriter, code int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer)
}
