package metrics

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
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
