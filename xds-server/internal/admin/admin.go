// Package admin is the xds-server's HTTP interface for operators: is it alive,
// is it ready, what does it count, what does it know. It changes nothing.
package admin

import (
	"encoding/json"
	"net/http"
)

// Config is what the interface shows. All fields are required.
type Config struct {
	Ready   func() error // nil when the server can serve Envoys
	Status  func() Status
	Metrics http.Handler
}

// New returns the handler of GET /healthz, /readyz, /metrics and /status.
func New(config Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := config.Ready(); err != nil {
			text(w, http.StatusServiceUnavailable, err.Error()+"\n")
			return
		}
		text(w, http.StatusOK, "ready\n")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { status(w, config.Status()) })
	mux.Handle("GET /metrics", config.Metrics)
	return mux
}

func text(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(body)) // the client has left if this fails
}

func status(w http.ResponseWriter, s Status) {
	body, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		text(w, http.StatusInternalServerError, "encode the status: "+err.Error()+"\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(append(body, '\n')) // the client has left if this fails
}
