package app

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/weirmesh/weir/xds-server/internal/admin"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
	"github.com/weirmesh/weir/xds-server/internal/stage"
)

// post calls the admin API.
func (r *running) post(t *testing.T, path, body string) (int, map[string]any) {
	t.Helper()
	resp, err := http.Post("http://"+r.options.AdminAddress+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// eventually returns the status when it is as wanted.
func (r *running) eventually(t *testing.T, what string, wanted func(admin.Status) bool) admin.Status {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		s := r.status(t)
		if wanted(s) {
			return s
		}
		select {
		case <-deadline:
			t.Fatalf("never %s: %+v", what, s)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func atPort(port string) string { return strings.Replace(resources, "port: 10000", "port: "+port, 1) }

func (r *running) version(t *testing.T) string {
	t.Helper()
	return r.status(t).Config.Versions[envoyID.String()]
}

// envoy is a client that asks for everything and accepts it, but for listeners
// while it refuses them, until the server ends or the test does.
func (r *running) envoy(t *testing.T, id spiffeid.ID, refuses *atomic.Bool) {
	t.Helper()
	stream, _ := r.as(t, id)
	for _, url := range snapshot.Types() {
		ask(t, stream, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: url, Node: &corev3.Node{Id: id.Path()}})
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for resp, err := stream.Recv(); err == nil; resp, err = stream.Recv() {
			answer := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: resp.GetTypeUrl(), ResponseNonce: resp.GetNonce()}
			if refuses.Load() && resp.GetTypeUrl() == snapshot.ListenerType {
				answer.ErrorDetail = &statuspb.Status{Message: "gw/http: no such port"}
			}
			if stream.Send(answer) != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		if err := errors.Join(r.stop(), stream.CloseSend()); err != nil {
			t.Error(err)
		}
		<-ended
	})
}

// TestStartsWithTheHistory starts on resources that are bad, and on none at all,
// where there was a good configuration before: it serves that and shows why.
func TestStartsWithTheHistory(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*testing.T, Options)
		says  string
	}{
		"one bad resource": {func(t *testing.T, o Options) { write(t, o, strings.Replace(resources, "weight: 100", "weight: 99", 1)) }, "spec.split"},
		"no YAML":          {func(t *testing.T, o Options) { write(t, o, "\tkind: [") }, "all.yaml"},
		"nothing":          {func(t *testing.T, o Options) { write(t, o, "") }, "Gateway"},
		"no folder": {func(t *testing.T, o Options) {
			if err := os.RemoveAll(folderOf(o)); err != nil {
				t.Fatal(err)
			}
		}, "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOptions(t)
			first := startApp(t, o)
			good := first.version(t)
			if err := first.stop(); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, o)
			r := startApp(t, o)
			_, body := r.get(t, "/status")
			if s := r.status(t); s.Config.Versions[envoyID.String()] != good || len(s.Config.Problems) == 0 || !strings.Contains(body, c.says) || s.Config.Revision != 1 {
				t.Fatalf("status = %s, want version %s and %q", body, good, c.says)
			}
			if code, text := r.get(t, "/readyz"); code != http.StatusOK {
				t.Fatalf("readyz: %d %s", code, text)
			}
			if err := os.MkdirAll(folderOf(o), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, o, atPort("10001"))
			r.eventually(t, "mended", func(s admin.Status) bool {
				return len(s.Config.Problems) == 0 && s.Config.Versions[envoyID.String()] != good && s.Config.Revision == 2
			})
		})
	}
}

// TestRollbackHoldsUntilResume rolls back, edits, restarts, and resumes.
func TestRollbackHoldsUntilResume(t *testing.T) {
	o := newOptions(t)
	r := startApp(t, o)
	first := r.version(t)
	write(t, o, atPort("10001"))
	r.eventually(t, "changed", func(s admin.Status) bool { return s.Config.Revision == 2 })
	second := r.version(t)

	if code, answer := r.post(t, "/v1/rollback", `{"number": 7}`); code != http.StatusNotFound {
		t.Fatalf("rollback to what is not kept: %d %v", code, answer)
	}
	if code, answer := r.post(t, "/v1/resume", `{}`); code == http.StatusOK {
		t.Fatalf("resume without a rollback: %v", answer)
	}
	if code, answer := r.post(t, "/v1/rollback", `{"number": 1, "reason": "too new"}`); code != http.StatusOK {
		t.Fatalf("rollback: %d %v", code, answer)
	}
	s := r.status(t)
	if s.Config.Versions[envoyID.String()] != first || s.Config.Revision != 3 || s.Config.Pin == nil || s.Config.Pin.Number != 3 {
		t.Fatalf("status = %+v, want version %s held as revision 3", s.Config, first)
	}
	write(t, o, atPort("10002"))
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = startApp(t, o)
	if s = r.status(t); s.Config.Versions[envoyID.String()] != first || s.Config.Pin == nil || s.Config.Pin.By != "loopback" {
		t.Fatalf("after the restart: %+v, want version %s held", s.Config, first)
	}
	write(t, o, atPort("10003"))
	if code, answer := r.post(t, "/v1/resume", `{"reason": "mended"}`); code != http.StatusOK {
		t.Fatalf("resume: %d %v", code, answer)
	}
	s = r.eventually(t, "resumed", func(s admin.Status) bool { return s.Config.Pin == nil && s.Config.Versions[envoyID.String()] != first })
	if v := s.Config.Versions[envoyID.String()]; v == second {
		t.Fatalf("resumed to an older version %s", v)
	}
	_, listed := r.get(t, "/v1/snapshots")
	if !strings.Contains(listed, "rollback to 1: too new") || !strings.Contains(listed, "all.yaml changed") {
		t.Fatalf("history = %s", listed)
	}
	if code, diff := r.get(t, "/v1/diff?from=1&to=2"); code != http.StatusOK || !strings.Contains(diff, "10001") {
		t.Fatalf("diff of revisions from before the start: %d %s", code, diff)
	}
}

const twoSteps = `  canary: {envoys: ["spiffe://weir.test/canary"], whenAbsent: wait, timeout: 1m}
  envoys: ["spiffe://weir.test/envoy", "spiffe://weir.test/canary"]
`

func inTwoSteps(content string) string {
	return strings.Replace(content, "  envoys: [\"spiffe://weir.test/envoy\"]\n", twoSteps, 1)
}

// TestCanaryHoldsWhatItRefuses has a canary refuse a configuration: the other
// Envoy keeps the one before, also over a restart, until the canary takes another.
func TestCanaryHoldsWhatItRefuses(t *testing.T) {
	o := newOptions(t)
	write(t, o, inTwoSteps(resources))
	r := startApp(t, o)
	var refuses atomic.Bool
	r.envoy(t, canaryID, &refuses)
	before := r.version(t)
	r.eventually(t, "connected", func(s admin.Status) bool { return len(s.Nodes) == 1 && s.Nodes[0].Accepted })

	refuses.Store(true)
	write(t, o, inTwoSteps(atPort("10001")))
	s := r.eventually(t, "held", func(s admin.Status) bool { return len(s.Canaries) == 1 && s.Canaries[0].State == stage.Held })
	if s.Config.Versions[envoyID.String()] != before || s.Config.Versions[canaryID.String()] == before || !strings.Contains(s.Canaries[0].Reason, "no such port") {
		t.Fatalf("status = %+v, %+v", s.Config.Versions, s.Canaries)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = startApp(t, o)
	if s = r.status(t); s.Config.Versions[envoyID.String()] != before || s.Config.Versions[canaryID.String()] == before {
		t.Fatalf("the restart gave on what the canary refused: %+v", s.Config.Versions)
	}
	refuses.Store(false)
	r.envoy(t, canaryID, &refuses)
	r.eventually(t, "given on", func(s admin.Status) bool {
		return s.Canaries[0].State == stage.Idle && s.Config.Versions[envoyID.String()] != before
	})
	if _, err := os.Stat(filepath.Join(o.StateDir, "waits-for-canaries")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the trial is over, but %v", err)
	}
}

// TestReplicasAgree has two servers serve the same resources: the versions are
// equal, so that a client may move from one to the other.
func TestReplicasAgree(t *testing.T) {
	a, b := startApp(t, newOptions(t)), startApp(t, newOptions(t))
	if a.version(t) != b.version(t) || a.version(t) == "" {
		t.Fatalf("versions %s and %s", a.version(t), b.version(t))
	}
	write(t, a.options, atPort("10001"))
	write(t, a.options, resources)
	write(t, b.options, atPort("10001"))
	changed := b.eventually(t, "changed", func(s admin.Status) bool { return s.Config.Revision == 2 }).Config.Versions[envoyID.String()]
	write(t, a.options, atPort("10001"))
	a.eventually(t, "equal", func(s admin.Status) bool { return s.Config.Versions[envoyID.String()] == changed })
}

// TestAChangeIsTraced follows a change from the file to the ACK.
func TestAChangeIsTraced(t *testing.T) {
	r := startApp(t, newOptions(t))
	r.envoy(t, envoyID, new(atomic.Bool))
	r.eventually(t, "connected", func(s admin.Status) bool { return len(s.Nodes) == 1 && s.Nodes[0].Accepted })
	write(t, r.options, atPort("10001"))
	s := r.eventually(t, "converged", func(s admin.Status) bool {
		return len(s.Changes) > 0 && s.Changes[0].Revision == 2 && !s.Changes[0].Converged.IsZero()
	})
	c := s.Changes[0]
	if c.Revision != 2 || c.Cause != "all.yaml changed" || c.Accepted.IsZero() || c.Translated.Before(c.Accepted) || c.Published.Before(c.Translated) ||
		c.FirstSent.Before(c.Published) || c.Converged.Before(c.FirstSent) || len(c.Nodes) != 1 || c.Nodes[0].ID != envoyID {
		t.Fatalf("trace = %+v", c)
	}
	r.eventually(t, "asked", func(s admin.Status) bool { return s.Serving[s.Nodes[0].Stream].State == "unconfirmed" })
}
