package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/evidence"
)

// trapPolicy masks what the test sends.
const trapPolicy = `apiVersion: weir.dev/v1alpha1
kind: RedactionPolicy
metadata: {name: trapped}
spec:
  entities: [{kind: phone, mode: tag}]
`

// TestTrapWithEvidence makes the filter of one worker trap while bodies with personal data
// are under way. Nothing goes on unread, before or after; the chain of the lost VM ends,
// that of the new one begins, and what has no record is said to have none.
func TestTrapWithEvidence(t *testing.T) {
	module := artefact.Built(t, "filter-trapdrill.wasm")
	var mu sync.Mutex
	var got bytes.Buffer // guarded by mu: what reached the upstream
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got.Write(body)
		mu.Unlock()
		w.Header().Set("content-type", "application/json")
		_, _ = io.WriteString(w, `{"choices":[{"message":{"content":"call `+strangerPhone+`"}}]}`)
	}))
	t.Cleanup(upstream.Close)
	p := startPlane(t, func(p *plane) {
		p.gatewayHas(t, "", "  evidence: {}\n  filter:\n    module: {file: \""+module+"\"}\n")
		p.write(t, "model.yaml", sole("m", strings.TrimPrefix(upstream.URL, "http://")))
		p.write(t, "redaction.yaml", trapPolicy)
	})
	s := &stack{gateway: p.gateway, log: p.log}
	eventually(t, 30*time.Second, func() error { _, err := p.ask(t, "m"); return err })
	ask := `{"model":"m","messages":[{"role":"user","content":"my number is ` + ownPhone + `"}]}`
	serve := func() error {
		for range everyWorker {
			a := s.post(t, "/v1/chat/completions", ask)
			if a.status != http.StatusOK {
				return fmt.Errorf("answered %d: %s", a.status, clip(a.body))
			}
			if !strings.Contains(string(a.body), "call <PHONE>") {
				t.Fatalf("the client got %s", a.body)
			}
		}
		return nil
	}
	eventually(t, 30*time.Second, serve)
	epochs := p.epochs(t, 2)
	half := len(ask) - 6 // in the midst of the number
	var open []*stream
	for range openStreams {
		open = append(open, s.open(t, ask[:half]))
	}
	if err := refused(s.raw(t, rawPost("/v1/chat/completions", ask, "x-weir-trap", "now")), http.StatusServiceUnavailable, "wasm_fail_stream"); err != nil {
		t.Errorf("the request that trapped: %v", err)
	}
	cut := 1
	for _, one := range open {
		if a := one.finish(t, ask[half:]); a.status == http.StatusServiceUnavailable {
			cut++
		} else if a.status != http.StatusOK || strings.Contains(string(a.body), strangerPhone) {
			t.Errorf("a stream that was open: %d %s", a.status, clip(a.body))
		}
	}
	eventually(t, 30*time.Second, serve)
	mu.Lock()
	defer mu.Unlock()
	if cut == 1 || bytes.Contains(got.Bytes(), []byte(ownPhone)) || !bytes.Contains(got.Bytes(), []byte("my number is <PHONE>")) {
		t.Errorf("%d streams were cut; upstream got %s", cut, clip(got.Bytes()))
	}
	if after := p.epochs(t, epochs+1); after != epochs+1 {
		t.Errorf("%d chains before the trap, %d after it", epochs, after)
	}
	p.brokenOff(t, cut)
}

// epochs returns how many chains records are of, once they are so many at least.
func (p *plane) epochs(t *testing.T, least int) int {
	t.Helper()
	all := map[string]bool{}
	eventually(t, 30*time.Second, func() error {
		p.lines(t, func(l evidence.Line) {
			var record struct{ Chain struct{ Epoch string } }
			if json.Unmarshal(l.Record, &record) == nil && record.Chain.Epoch != "" {
				all[record.Chain.Epoch] = true
			}
		})
		if len(all) < least {
			return fmt.Errorf("records of %d chains", len(all))
		}
		return nil
	})
	return len(all)
}

// brokenOff fails unless the evidence says of so many requests that there is no record of
// them, and of nothing else that it is wrong; and `weir evidence verify` says so too.
func (p *plane) brokenOff(t *testing.T, cut int) {
	t.Helper()
	var report evidence.Report
	var faults []string
	eventually(t, 30*time.Second, func() error {
		if report, faults = p.kept(t); report.Verdicts[evidence.Absent] < cut {
			return fmt.Errorf("%+v, of %d requests that were cut", report, cut)
		}
		return nil
	})
	good := report.Verdicts[evidence.Sealed] + report.Verdicts[evidence.Unsealed]
	if good+cut != report.Records || report.Missing != 0 || report.Verdicts[evidence.Absent] != cut {
		t.Errorf("%+v, of %d requests that were cut\n%s", report, cut, strings.Join(faults, "\n"))
	}
	t.Logf("%d requests were cut: %+v\n%s", cut, report, strings.Join(faults, "\n"))
}
