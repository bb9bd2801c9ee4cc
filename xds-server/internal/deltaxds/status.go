package deltaxds

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// StreamStatus is what the server knows of one client.
type StreamStatus struct {
	Stream    uint64      `json:"stream"`   // number of the stream since the server started
	SPIFFEID  spiffeid.ID `json:"spiffeID"` // proved over mTLS
	Node      string      `json:"node"`     // node.id as the client claims it: for people, not for decisions
	Address   string      `json:"address"`  // of the client
	Connected time.Time   `json:"connected"`
	Expires   time.Time   `json:"expires"` // end of the client's SVID; the stream ends a little before
	Version   string      `json:"version"` // snapshot that the client is being brought to
	// Accepted says that the client acknowledged all additions and changes of
	// Version, and that none is refused or held back.
	Accepted bool `json:"accepted"`
	// InSync says that, and that nothing else is left: what Version no longer has
	// was taken away.
	InSync bool `json:"inSync"`
	// Warming are acknowledged clusters that are not known to be ready; what leads
	// to them waits.
	Warming []string `json:"warming,omitempty"`
	// WarmFailure is why the last wait for clusters ended without their being ready.
	WarmFailure string       `json:"warmFailure,omitempty"`
	Types       []TypeStatus `json:"types"` // in the order in which they are sent
}

// TypeStatus is what the server knows of one resource type at one client.
// Versions are those of whole snapshots.
type TypeStatus struct {
	TypeURL    string    `json:"type"`
	Wildcard   bool      `json:"wildcard"`
	Subscribed int       `json:"subscribed"` // names asked for
	Sent       string    `json:"sent,omitempty"`
	SentAt     time.Time `json:"sentAt,omitzero"`
	Acked      string    `json:"acked,omitempty"`
	AckedAt    time.Time `json:"ackedAt,omitzero"`
	Waiting    bool      `json:"waiting"`            // a response waits for its ACK
	Pending    int       `json:"pending"`            // additions and changes not yet sent
	Draining   int       `json:"draining"`           // to be taken away after the drain delay
	HeldBack   []string  `json:"heldBack,omitempty"` // wait for a cluster that was refused or warms
	Nacks      uint64    `json:"nacks"`
	LastNack   *Nack     `json:"lastNack,omitempty"`
	Parked     []Parked  `json:"parked,omitempty"` // refused and not sent again until they change; see MaxReported
	ParkedMore int       `json:"parkedMore,omitempty"`
	Suppressed uint64    `json:"suppressed"` // times that a refused resource would have been sent again unchanged
}

// MaxReported is how many parked resources of a type a status lists. The rest
// is counted.
const MaxReported = 100

// Nack is a refusal of a response.
type Nack struct {
	Version string    `json:"version"` // of the snapshot
	Message string    `json:"message"` // error_detail of the client
	At      time.Time `json:"at"`
}

// Parked is a resource whose current version the client refused. The client
// serves on with the version before.
type Parked struct {
	Name    string    `json:"name"`
	Version string    `json:"version"`          // of the resource
	Origin  string    `json:"origin,omitempty"` // where the document stands that it was made of
	Message string    `json:"message"`
	Since   time.Time `json:"since"`

	missing bool               // the client has no version before
	serving *snapshot.Resource // the version before; nil: none, or its content is not known
}

// report describes the stream as far as the state machine knows it.
func (s *stream) report() StreamStatus {
	status := StreamStatus{
		Version: s.newest.to.Version(), Accepted: s.newest.to == s.target && s.complete(),
		Warming: s.gate.names(), WarmFailure: s.gate.failure,
	}
	status.InSync = status.Accepted
	for _, url := range append(slices.Clone(additions), s.others...) {
		sub, ok := s.types[url]
		if !ok {
			continue
		}
		t := sub.report()
		status.InSync = status.InSync && !t.Waiting && t.Draining == 0
		status.Types = append(status.Types, t)
	}
	return status
}

func (s *subscription) report() TypeStatus {
	t := s.status
	t.Wildcard, t.Subscribed = s.wildcard, s.subscribed
	t.Waiting, t.Pending, t.Draining = s.inflight != nil, len(s.updates), len(s.gone)
	t.HeldBack = slices.Sorted(maps.Keys(s.held))
	t.Parked = slices.SortedFunc(maps.Values(s.parked), byName)
	if more := len(t.Parked) - MaxReported; more > 0 {
		t.Parked, t.ParkedMore = slices.Clip(t.Parked[:MaxReported]), more
	}
	return t
}

func byName(a, b Parked) int { return strings.Compare(a.Name, b.Name) }

func byStream(a, b StreamStatus) int { return cmp.Compare(a.Stream, b.Stream) }
