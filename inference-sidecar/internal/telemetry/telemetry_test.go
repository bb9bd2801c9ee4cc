package telemetry_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/inference-sidecar/internal/telemetry"
)

func TestNamesAndUnits(t *testing.T) {
	m := telemetry.New()
	v := m.Loaded("minilm", "v1", 1500*time.Millisecond)
	end := v.Begin()
	v.Read(time.Microsecond, 7)
	v.Ran(2, 3*time.Microsecond, 4*time.Microsecond)
	v.Wrote(5 * time.Microsecond)
	end(20*time.Microsecond, "")
	v.Begin()(-time.Second, telemetry.Backend) // the clock was set back
	v.Begin()
	v.Refused()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3") // as Prometheus asks
	page := httptest.NewRecorder()
	m.Handler().ServeHTTP(page, r)
	for _, line := range []string{
		`nv_inference_request_success{model="minilm",version="v1"} 1`,
		`nv_inference_request_failure{model="minilm",reason="BACKEND",version="v1"} 1`,
		`nv_inference_request_failure{model="minilm",reason="REJECTED",version="v1"} 1`,
		`nv_inference_request_failure{model="minilm",reason="CANCELED",version="v1"} 0`,
		`nv_inference_request_failure{model="minilm",reason="OTHER",version="v1"} 0`,
		`nv_inference_count{model="minilm",version="v1"} 2`,
		`nv_inference_exec_count{model="minilm",version="v1"} 1`,
		`nv_inference_request_duration_us{model="minilm",version="v1"} 20`,
		`nv_inference_queue_duration_us{model="minilm",version="v1"} 3`,
		`nv_inference_compute_input_duration_us{model="minilm",version="v1"} 1`,
		`nv_inference_compute_infer_duration_us{model="minilm",version="v1"} 4`,
		`nv_inference_compute_output_duration_us{model="minilm",version="v1"} 5`,
		`nv_inference_pending_request_count{model="minilm",version="v1"} 1`,
		`nv_model_load_duration_secs{model="minilm",version="v1"} 1.5`,
		`weir_inference_input_tokens_total{model="minilm",version="v1"} 7`,
		`weir_inference_request_duration_seconds_count{model="minilm",version="v1"} 2`,
	} {
		if !strings.Contains(page.Body.String(), line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
}
