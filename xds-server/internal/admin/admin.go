// Package admin is the xds-server's HTTP interface for operators: is it alive,
// is it ready, what does it count, what does it know. It changes nothing.
package admin

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
)

// Status is the answer of /status.
type Status struct {
	Config   ConfigStatus            `json:"config"`
	Identity IdentityStatus          `json:"identity"`
	Nodes    []deltaxds.StreamStatus `json:"nodes"` // one for each stream of an Envoy
}

// ConfigStatus says which resources are in force.
type ConfigStatus struct {
	// Versions are the snapshots in force, by the SPIFFE ID that gets them.
	Versions map[string]string `json:"versions"`
	LoadedAt time.Time         `json:"loadedAt"` // when they were put in force
	// Problems of the resources on disk, if those are not in force.
	Problems      []Problem `json:"problems"`
	ProblemsSince time.Time `json:"problemsSince,omitzero"`
}

// Problem is one thing that is wrong with a resource.
type Problem struct {
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Resource string `json:"resource,omitempty"`
	Field    string `json:"field,omitempty"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

// IdentityStatus says who the server is.
type IdentityStatus struct {
	Source   string    `json:"source"` // development CA, or the address of a Workload API
	SPIFFEID string    `json:"spiffeID"`
	Expires  time.Time `json:"expires"` // end of the server's current SVID
}

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
