package metrics

import (
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/trace"
)

// Follower counts what happens on the streams, and follows changes on their way
// to each Envoy. It is an observer of the delta server.
type Follower struct {
	*Metrics
	log *trace.Log
	now func() time.Time
}

// Follow returns an observer that counts in m and traces in log.
func Follow(m *Metrics, log *trace.Log, now func() time.Time) *Follower {
	return &Follower{Metrics: m, log: log, now: now}
}

// Pushed notes the first response of a snapshot to an Envoy.
func (f *Follower) Pushed(id spiffeid.ID, node, version string, took time.Duration) {
	f.Metrics.Pushed(id, node, version, took)
	if since, first := f.log.Pushed(trace.Node{ID: id, Name: node}, version, took, f.now()); first {
		f.changePushed.Observe(since.Seconds())
	}
}

// Parked notes the resources of a snapshot that an Envoy refused.
func (f *Follower) Parked(id spiffeid.ID, node, version, typeURL string, names []string, message string) {
	f.Metrics.Parked(id, node, version, typeURL, names, message)
	f.log.Refused(trace.Node{ID: id, Name: node}, version, len(names))
}

// Converged notes that an Envoy acknowledged all of a snapshot.
func (f *Follower) Converged(id spiffeid.ID, node, version string, took time.Duration) {
	f.Metrics.Converged(id, node, version, took)
	if since, first := f.log.Converged(trace.Node{ID: id, Name: node}, version, took, f.now()); first {
		f.changeConverged.Observe(since.Seconds())
	}
}
