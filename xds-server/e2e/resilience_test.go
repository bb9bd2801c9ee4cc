package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/loadgen"
)

// underLoad sends requests to the load model while work runs, and demands that
// every one is answered with 200.
func (s *stack) underLoad(t *testing.T, work func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body := []byte(`{"model":"load","messages":[{"role":"user","content":"call 13812345678"}]}`)
	type outcome struct {
		report *loadgen.Report
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		report, err := loadgen.Run(ctx, loadgen.Options{
			Address: loopback(s.gateway), Conns: 8, Rate: 400, Total: 1 << 20,
			Bodies: [][]byte{loadgen.Request("/v1/chat/completions", body)},
		})
		done <- outcome{report, err}
	}()
	work()
	cancel()
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	t.Log(got.report)
	if !got.report.Only(http.StatusOK) {
		t.Errorf("requests failed: %s", got.report)
	}
}

func testKilledControlPlane(t *testing.T, s *stack) {
	s.underLoad(t, func() {
		for range 3 {
			pid := s.pid(t, "xds-server")
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			eventually(t, 30*time.Second, func() error {
				if s.pid(t, "xds-server") == pid {
					return fmt.Errorf("xds-server %d was not started again", pid)
				}
				_, err := get(t.Context(), "http://"+loopback(s.admin)+"/readyz")
				return err
			})
		}
		// The Envoy that has never stopped takes new configuration from the new one.
		s.weigh(t, 100)
		s.weigh(t, 0)
	})
}

// weigh gives v2 of the load model a weight in percent by editing its file, and
// returns when the gateway follows.
func (s *stack) weigh(t *testing.T, percent int) {
	t.Helper()
	edit(t, s.dir, change{"load.yaml", "{version: v2, weight: " + fmt.Sprint(100-percent) + "}", fmt.Sprintf("{version: v2, weight: %d}", percent)})
	// In between, the weights add up to 0 or 200: the last good configuration holds.
	edit(t, s.dir, change{"load.yaml", "{version: v1, weight: " + fmt.Sprint(percent) + "}", fmt.Sprintf("{version: v1, weight: %d}", 100-percent)})
	want := "v1"
	if percent == 100 {
		want = "v2"
	}
	eventually(t, 30*time.Second, func() error {
		a := s.post(t, "/v1/chat/completions", `{"model":"load","messages":[{"role":"user","content":"hello"}]}`)
		if a.status != http.StatusOK {
			t.Fatalf("status %d: %s", a.status, clip(a.body))
		}
		if got := a.header.Get("x-weir-version"); got != want {
			return fmt.Errorf("served by %q, want %q", got, want)
		}
		return nil
	})
}

func testHotReload(t *testing.T, s *stack) {
	s.underLoad(t, func() {
		for _, percent := range []int{100, 0, 100, 0} {
			s.weigh(t, percent)
		}
	})
}

// A bad edit is told with file, line and field, and changes nothing else.
func testBadResource(t *testing.T, s *stack) {
	good := change{"modelroute.yaml", "weight: 91", "weight: 90"}
	s.underLoad(t, func() {
		edit(t, s.dir, change{"modelroute.yaml", "weight: 90", "weight: 91"})
		eventually(t, 30*time.Second, func() error { return s.statusHas(t, "modelroute.yaml", "spec.split") })
		a := s.post(t, "/v1/embeddings", `{"model":"minilm","input":"still the last good"}`, "x-tenant-id", "bad-resource")
		if a.status != http.StatusOK {
			t.Errorf("with a bad file on disk, a request is answered %d: %s", a.status, clip(a.body))
		}
		edit(t, s.dir, good)
		eventually(t, 30*time.Second, func() error {
			if err := s.statusHas(t, "modelroute.yaml", "spec.split"); err == nil {
				return fmt.Errorf("the status still has the problem that was mended")
			}
			return nil
		})
	})
}

// statusHas looks for a problem with a place in the file in the admin status.
func (s *stack) statusHas(t *testing.T, file, field string) error {
	t.Helper()
	text, err := get(t.Context(), "http://"+loopback(s.admin)+"/status")
	if err != nil {
		t.Fatal(err)
	}
	var status struct {
		Config struct {
			Problems []struct {
				File, Field, Message string
				Line                 int
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, p := range status.Config.Problems {
		if strings.HasSuffix(p.File, file) && strings.HasPrefix(p.Field, field) && p.Line > 0 && p.Message != "" {
			return nil
		}
	}
	return fmt.Errorf("the status names no %s in %s: %s", field, file, text)
}

// An xds-server that dies while the files are bad comes back with what was in
// force before, and says so until they are mended.
func testKilledOverBadResource(t *testing.T, s *stack) {
	s.underLoad(t, func() {
		edit(t, s.dir, change{"modelroute.yaml", "weight: 90", "weight: 91"})
		eventually(t, 30*time.Second, func() error { return s.statusHas(t, "modelroute.yaml", "spec.split") })
		pid := s.pid(t, "xds-server")
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, 30*time.Second, func() error {
			if s.pid(t, "xds-server") == pid {
				return fmt.Errorf("xds-server %d was not started again", pid)
			}
			_, err := get(t.Context(), "http://"+loopback(s.admin)+"/readyz")
			return err
		})
		if err := s.statusHas(t, "modelroute.yaml", "spec.split"); err != nil {
			t.Error(err)
		}
		s.weigh(t, 100) // one bad resource does not hold up the others
		edit(t, s.dir, change{"modelroute.yaml", "weight: 91", "weight: 90"})
		s.weigh(t, 0)
		eventually(t, 30*time.Second, func() error {
			if s.statusHas(t, "modelroute.yaml", "spec.split") == nil {
				return errors.New("the status still has the problem that was mended")
			}
			return nil
		})
	})
}

// What the filter did can be counted, with labels that say what it was.
func testMetrics(t *testing.T, s *stack) {
	a := s.post(t, "/v1/chat/completions", chat("call 13812345678"), "x-tenant-id", "metrics")
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, clip(a.body))
	}
	eventually(t, 30*time.Second, func() error {
		text, err := get(t.Context(), "http://"+loopback(s.envoy)+"/stats/prometheus")
		if err != nil {
			return err
		}
		for _, want := range []string{
			"weir_requests{} ", `weir_replies{weir_code="invalid_json"} `, `weir_redactions{weir_entity="phone",weir_direction="request",weir_mode="mask",weir_outcome="forwarded"} `, `weir_limit_allowed{weir_limit="per-tenant"} `,
			`envoy_cluster_upstream_rq_total{envoy_cluster_name="minilm@v1",weir_model="minilm",weir_version="v1"} `,
		} {
			if _, after, found := strings.Cut(text, "\n"+want); !found || strings.HasPrefix(after, "0\n") {
				return fmt.Errorf("%s is not counted", want)
			}
		}
		return nil
	})
}
