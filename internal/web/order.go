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
	Scale(ctx context.Context, order status.ScaleOrder) error
	EndScale(ctx context.Context, pool, by string) error
}

// maxOrder bounds the body of an order: its texts have a few hundred bytes. Ours.
const maxOrder = 4 << 10

// checked is an order that can say what is wrong with it, or nothing.
type checked interface{ check() string }

// carryOut reads an order of somebody who may give it, and lets it be carried out. Its answers are JSON: {"ok": true},
// or {"error": "why not"}.
func (s *Server) carryOut(w http.ResponseWriter, r *http.Request, o checked, give func(by string) error) {
	by := "http " + r.RemoteAddr
	if code, why := s.authorize(r); code != 0 {
		s.config.Log.Warn("order over http refused", slog.String("by", by), slog.String("why", why))
		if code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="usher"`)
		}
		refuse(w, code, why)
		return
	}
	if code, why := readOrder(w, r, o); code != 0 {
		refuse(w, code, why)
		return
	}
	if err := give(by); err != nil {
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
func readOrder(w http.ResponseWriter, r *http.Request, o checked) (code int, why string) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, "the order must be application/json"
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(o)
	if err == nil && !errors.Is(decoder.Decode(new(any)), io.EOF) {
		err = errors.New("there is more behind the order")
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge, "the order is too long"
	}
	if err != nil {
		return http.StatusBadRequest, "the order cannot be read: " + err.Error()
	}
	if why := o.check(); why != "" {
		return http.StatusBadRequest, why
	}
	return 0, ""
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
