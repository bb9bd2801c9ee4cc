package metrics

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/trace"
)

func TestScrape(t *testing.T) {
	m := New()
	m.Reloaded(time.Unix(100, 500_000_000))
	m.ReloadFailed()
	m.StreamOpened()
	m.StreamOpened()
	m.StreamClosed("client left")
	m.ResponseSent("type.googleapis.com/envoy.config.cluster.v3.Cluster", 3, 1, 200)
	m.ResponseSent("anything.a.client.MadeUp", 0, 1, 20)
	m.Acked("type.googleapis.com/envoy.config.cluster.v3.Cluster", 3*time.Millisecond)
	m.Nacked("type.googleapis.com/envoy.config.listener.v3.Listener")
	m.Issued()
	m.Refused()
	m.Rejected()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		"weir_config_last_reload_successful 0",
		"weir_config_last_reload_success_timestamp_seconds 100.5",
		`weir_config_reloads_total{result="problem"} 1`,
		`weir_config_reloads_total{result="success"} 1`,
		"weir_xds_streams 1",
		`weir_xds_streams_closed_total{reason="client left"} 1`,
		`weir_xds_resources_sent_total{type="Cluster"} 3`,
		`weir_xds_resources_removed_total{type="other"} 1`,
		`weir_xds_response_bytes_total{type="Cluster"} 200`,
		`weir_xds_ack_seconds_bucket{type="Cluster",le="0.005"} 1`,
		`weir_xds_nacks_total{type="Listener"} 1`,
		"weir_identity_svids_issued_total 1",
		"weir_identity_refusals_total 1",
		"weir_identity_secret_nacks_total 1",
		"go_goroutines ",
	} {
		if !strings.Contains(answer.Body.String(), "\n"+want) {
			t.Errorf("the scrape lacks %q", want)
		}
	}
}

func TestStateAndChanges(t *testing.T) {
	m, log := New(), trace.New(2)
	m.Ask(func() State {
		return State{
			Revision: 7, Pinned: true, Problems: 1, Held: 2, Sources: map[string]bool{"etcd": true, "folder": false},
			Resources: map[string]int{"type.googleapis.com/envoy.config.cluster.v3.Cluster": 3, "a.New": 1, "b.New": 1},
			InSync:    4, Pending: 5, Waiting: 6, Draining: 2, Warming: 3, HeldBack: 8, Parked: 9, Canaries: 1,
		}
	})
	id := spiffeid.RequireFromString("spiffe://weir.test/envoy")
	start := time.Unix(100, 0)
	log.Accepted(1, "", start)
	log.Published(1, map[spiffeid.ID]string{id: "v1"}, start.Add(2*time.Millisecond))
	follower := Follow(m, log, func() time.Time { return start.Add(9 * time.Millisecond) })
	follower.Pushed(id, "a", "v1", 7*time.Millisecond)
	follower.Parked(id, "a", "v1", "type.googleapis.com/envoy.config.cluster.v3.Cluster", []string{"x", "y"}, "no")
	follower.Converged(id, "a", "v1", 7*time.Millisecond)
	follower.Converged(id, "b", "v0", time.Millisecond)
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		"weir_config_revision 7", "weir_config_pinned 1", "weir_config_problems 1", "weir_config_resources_held 2",
		`weir_config_source_connected{source="etcd"} 1`, `weir_config_source_connected{source="folder"} 0`,
		`weir_xds_resources{type="Cluster"} 3`, `weir_xds_resources{type="other"} 2`,
		"weir_xds_nodes_in_sync 4", "weir_xds_pending_resources 5", "weir_xds_responses_unacknowledged 6",
		"weir_xds_draining_resources 2", "weir_xds_warming_clusters 3", "weir_xds_held_back_resources 8", "weir_xds_parked_resources 9", "weir_config_canary_groups_waiting 1",
		`weir_xds_resources_refused_total{type="Cluster"} 2`,
		`weir_xds_push_seconds_bucket{le="0.005"} 0`, `weir_xds_push_seconds_bucket{le="0.01"} 1`,
		"weir_xds_convergence_seconds_count 2",
		`weir_change_push_seconds_bucket{le="0.01"} 1`, "weir_change_convergence_seconds_count 1",
	} {
		if !strings.Contains(answer.Body.String(), "\n"+want) {
			t.Errorf("the scrape lacks %q", want)
		}
	}
	if got := log.Changes()[0].Nodes; len(got) != 1 || got[0].Refused != 2 {
		t.Errorf("the trace: %+v", got)
	}
}
