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
	Stream    uint64       `json:"stream"`   // number of the stream since the server started
	SPIFFEID  spiffeid.ID  `json:"spiffeID"` // proved over mTLS
	Node      string       `json:"node"`     // node.id as the client claims it: for people, not for decisions
	Address   string       `json:"address"`  // of the client
	Connected time.Time    `json:"connected"`
	Expires   time.Time    `json:"expires"` // end of the client's SVID; the stream ends a little before
	Version   string       `json:"version"` // snapshot that the client is being brought to
	InSync    bool         `json:"inSync"`  // the client acknowledged all of Version
	Types     []TypeStatus `json:"types"`   // in the order in which they are sent
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
	Pending    int       `json:"pending"`            // resources not yet sent
	HeldBack   []string  `json:"heldBack,omitempty"` // routes that wait for a refused cluster
	Nacks      uint64    `json:"nacks"`
	LastNack   *Nack     `json:"lastNack,omitempty"`
	Parked     []Parked  `json:"parked,omitempty"` // refused and not sent again until they change
}

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
	Version string    `json:"version"` // of the resource
	Message string    `json:"message"`
	Since   time.Time `json:"since"`

	missing bool // the client has no version before
}

// report describes every type of the stream and whether all is acknowledged.
func (s *stream) report() (types []TypeStatus, inSync bool) {
	inSync = len(s.types) > 0
	for _, url := range append(slices.Clone(additions), s.others...) {
		sub, ok := s.types[url]
		if !ok {
			continue
		}
		t := sub.report(resourcesOf(s.snap, url))
		inSync = inSync && !t.Waiting && t.Pending == 0 && len(t.Parked) == 0
		types = append(types, t)
	}
	return types, inSync
}

func (s *subscription) report(resources map[string]*snapshot.Resource) TypeStatus {
	updates, gone := s.plan(resources)
	t := s.status
	t.Wildcard, t.Subscribed = s.wildcard, len(s.names)
	t.Waiting, t.Pending = s.inflight != nil, len(updates)+len(gone)
	t.HeldBack = slices.Sorted(maps.Keys(s.held))
	t.Parked = slices.SortedFunc(maps.Values(s.parked), func(a, b Parked) int { return strings.Compare(a.Name, b.Name) })
	return t
}

func byStream(a, b StreamStatus) int { return cmp.Compare(a.Stream, b.Stream) }
