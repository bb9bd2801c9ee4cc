package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
)

func TestAnswers(t *testing.T) {
	var notReady error
	handler := New(Config{
		Ready: func() error { return notReady },
		Status: func() Status {
			return Status{
				Config: ConfigStatus{Versions: map[string]string{"spiffe://weir.test/envoy": "v"}, Problems: []Problem{{File: "a.yaml", Line: 3, Message: "bad"}}, ProblemsSince: time.Unix(1, 0).UTC()},
				Nodes:  []deltaxds.StreamStatus{{Stream: 7, SPIFFEID: spiffeid.RequireFromString("spiffe://weir.test/envoy")}},
			}
		},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "weir 1\n") }),
	})
	get := func(method, path string) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(method, path, nil))
		return answer
	}
	for _, c := range []struct {
		method, path string
		ready        error
		code         int
		body         string
	}{
		{"GET", "/healthz", nil, 200, "ok\n"},
		{"GET", "/readyz", nil, 200, "ready\n"},
		{"GET", "/readyz", errors.New("no SVID yet"), 503, "no SVID yet\n"},
		{"GET", "/healthz", errors.New("no SVID yet"), 200, "ok\n"},
		{"GET", "/metrics", nil, 200, "weir 1\n"},
		{"POST", "/healthz", nil, 405, "Method Not Allowed\n"},
		{"GET", "/", nil, 404, "404 page not found\n"},
	} {
		notReady = c.ready
		if got := get(c.method, c.path); got.Code != c.code || got.Body.String() != c.body {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, got.Code, got.Body, c.code, c.body)
		}
	}
	var got struct {
		Config struct{ Problems []map[string]any }
		Nodes  []struct {
			SPIFFEID string
			Stream   int
		}
	}
	answer := get("GET", "/status")
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Config.Problems) != 1 || got.Config.Problems[0]["line"] != 3.0 || len(got.Nodes) != 1 || got.Nodes[0].Stream != 7 || got.Nodes[0].SPIFFEID != "spiffe://weir.test/envoy" {
		t.Errorf("status = %s", answer.Body)
	}
}
