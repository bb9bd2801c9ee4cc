package admin

import (
	"time"

	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
	"github.com/weirmesh/weir/xds-server/internal/stage"
	"github.com/weirmesh/weir/xds-server/internal/trace"
)

// Status is the whole in short: the answer of /status.
type Status struct {
	Config   ConfigStatus            `json:"config"`
	Identity IdentityStatus          `json:"identity"`
	Sources  []SourceStatus          `json:"sources,omitempty"`
	Canaries []stage.Status          `json:"canaries,omitempty"` // groups of which some Envoys get a configuration first
	Nodes    []deltaxds.StreamStatus `json:"nodes"`              // one for each stream of an Envoy
	Serving  map[uint64]Serving      `json:"serving,omitempty"`  // by stream: whether the Envoy serves what it acknowledged
	Changes  []trace.Change          `json:"changes,omitempty"`  // traces of the last changes, newest first
}

// ConfigStatus says which resources are in force.
type ConfigStatus struct {
	// Versions are the snapshots in force, by the SPIFFE ID that gets them.
	Versions map[string]string `json:"versions"`
	LoadedAt time.Time         `json:"loadedAt"` // when they were put in force
	// Problems of the newest resources, if those are not all in force.
	Problems      []Problem      `json:"problems"`
	ProblemsSince time.Time      `json:"problemsSince,omitzero"`
	Revision      uint64         `json:"revision,omitempty"`  // number of the revision in force
	Pin           *Pin           `json:"pin,omitempty"`       // if a rollback holds
	Held          []HeldResource `json:"held,omitempty"`      // resources that stand at an earlier version
	Overrides     []Override     `json:"overrides,omitempty"` // resources that two sources have
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

// HeldResource is a resource of which an earlier version serves, because the
// newest one has problems.
type HeldResource struct {
	Resource string    `json:"resource"`         // kind/name
	Origin   string    `json:"origin,omitempty"` // of the version that serves; empty: none does
	Since    time.Time `json:"since,omitzero"`
	Message  string    `json:"message,omitempty"` // what is wrong with the newest
}

// Override is a resource that two sources have.
type Override struct {
	Resource string `json:"resource"` // kind/name
	Used     string `json:"used"`     // origin of the one that counts
	Ignored  string `json:"ignored"`  // origin of the other
}

// Pin is a rollback that holds until it is resumed.
type Pin struct {
	Number uint64    `json:"number"` // of the revision that is held
	By     string    `json:"by"`     // who rolled back
	Since  time.Time `json:"since"`
}

// IdentityStatus says who the server is.
type IdentityStatus struct {
	Source   string    `json:"source"` // development CA, or the address of a Workload API
	SPIFFEID string    `json:"spiffeID"`
	Expires  time.Time `json:"expires"` // end of the server's current SVID
}

// SourceStatus says how a source of resources does.
type SourceStatus struct {
	Name      string    `json:"name"`               // such as the folder, or etcd's address
	Connected bool      `json:"connected"`          // it can be read
	Position  string    `json:"position,omitempty"` // such as etcd's revision
	Documents int       `json:"documents"`
	ReadAt    time.Time `json:"readAt,omitzero"`
	Error     string    `json:"error,omitempty"` // why it cannot be read
}

// Serving is what became of the question whether an Envoy serves what it
// acknowledged.
type Serving struct {
	State   string    `json:"state"`             // confirmed, unconfirmed (it cannot be asked) or awaited
	Version string    `json:"version,omitempty"` // snapshot that was asked about
	How     string    `json:"how,omitempty"`     // what was asked
	Detail  string    `json:"detail,omitempty"`  // why it is not confirmed
	At      time.Time `json:"at,omitzero"`
}
