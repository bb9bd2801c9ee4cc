package e2e

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/evidence"
)

// evidenceAnswer is what the upstream of an evidencePlane answers.
const evidenceAnswer = `{"choices":[{"message":{"content":"well"}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}`

// evidencePlane is a plane whose gateway keeps evidence.
func evidencePlane(t *testing.T, spec string) *plane {
	t.Helper()
	artefact.Built(t, "filter.wasm")
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("content-type", "application/json")
		_, _ = io.WriteString(w, evidenceAnswer)
	}))
	t.Cleanup(upstream.Close)
	return startPlane(t, func(p *plane) {
		p.gatewayHas(t, "", "  evidence: {}\n"+spec)
		p.write(t, "model.yaml", sole("m", strings.TrimPrefix(upstream.URL, "http://")))
	})
}

func (p *plane) evidence() string { return filepath.Join(p.state, "evidence") }

// kept is the evidence of a plane, verified anew.
func (p *plane) kept(t *testing.T) (report evidence.Report, faults []string) {
	t.Helper()
	ring, err := evidence.OpenRing(filepath.Join(p.evidence(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := evidence.Files(p.evidence())
	if err != nil {
		t.Fatal(err)
	}
	report, err = evidence.Check(files, ring.Chain, func(f evidence.Fault) { faults = append(faults, f.String()) })
	if err != nil {
		t.Fatal(err)
	}
	return report, faults
}

// TestEvidence has two workers of a real Envoy make records, which are sealed from the
// first on and come to the xds-server in their order, through a restart of it.
func TestEvidence(t *testing.T) {
	p := evidencePlane(t, "")
	sent := p.records(t)
	for i := range 60 {
		model := "m"
		if i%3 == 0 {
			model = "unknown"
		}
		_, _ = p.ask(t, model)
	}
	p.awaitRecords(t, sent+60)
	p.digested(t)
	p.updated(t)
	sent = p.records(t)
	p.running.stop()
	for range 10 { // a worker may not have its key yet
		_, _ = p.ask(t, "m")
	}
	p.start(t)
	p.awaitRecords(t, sent+10)
	report, faults := p.kept(t)
	t.Logf("%+v", report)
	good := report.Verdicts[evidence.Sealed] + report.Verdicts[evidence.Unsealed]
	if len(faults) > 0 || good != report.Records || report.Chains < 1 || report.Missing != 0 {
		t.Errorf("%+v\n%s", report, strings.Join(faults, "\n"))
	}
	p.lines(t, func(l evidence.Line) {
		if l.Verdict == evidence.Unsealed && !strings.Contains(string(l.Record), `"outcome":"evidence_unavailable"`) {
			t.Errorf("a request went on without a key: %s", l.Record)
		}
	})
}

// updated puts another policy in force, and fails unless requests go on under it.
func (p *plane) updated(t *testing.T) {
	t.Helper()
	p.write(t, "redaction.yaml", allKinds(t))
	eventually(t, 30*time.Second, func() error {
		version, err := p.ask(t, "m")
		if err != nil {
			return err
		}
		records := 0
		p.lines(t, func(l evidence.Line) { records += strings.Count(string(l.Record), `"policy":{"name":"all"`) })
		if records < 3 {
			return fmt.Errorf("answered by %s under the policy before: %d records name the new one", version, records)
		}
		return nil
	})
	sent := p.records(t)
	for range 4 {
		if _, err := p.ask(t, "m"); err != nil {
			t.Errorf("under another policy: %v", err)
		}
	}
	p.awaitRecords(t, sent+4)
}

// digested fails unless a record has the digest of the upstream's answer.
func (p *plane) digested(t *testing.T) {
	t.Helper()
	want := fmt.Sprintf(`"output":{"sha256":"%x","bytes":%d}`, sha256.Sum256([]byte(evidenceAnswer)), len(evidenceAnswer))
	found := 0
	p.lines(t, func(l evidence.Line) { found += strings.Count(string(l.Record), want) })
	if found < 30 {
		t.Errorf("%d records have %s", found, want)
	}
}

// lines visits all that is kept.
func (p *plane) lines(t *testing.T, visit func(evidence.Line)) {
	t.Helper()
	files, err := evidence.Files(p.evidence())
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := evidence.Scan(f, func(_ int, l evidence.Line) error { visit(l); return nil }); err != nil {
			t.Fatal(err)
		}
	}
}

func (p *plane) records(t *testing.T) int {
	t.Helper()
	report, _ := p.kept(t)
	return report.Records
}

// awaitRecords returns when so many records are kept.
func (p *plane) awaitRecords(t *testing.T, n int) int {
	t.Helper()
	got := 0
	eventually(t, 30*time.Second, func() error {
		if got = p.records(t); got < n {
			return fmt.Errorf("%d records, waiting for %d", got, n)
		}
		return nil
	})
	return got
}
