package e2e

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/corpus"
	"github.com/weirmesh/weir/xds-server/internal/evidence"
)

// leakModes are what is done with the kinds, in turn.
var leakModes = []spec.RedactionMode{spec.RedactMask, spec.RedactTag, spec.RedactHMAC, spec.RedactDrop, spec.RedactToken, spec.RedactDetect, spec.RedactBlock}

func leakMode(kind spec.EntityKind) spec.RedactionMode {
	if kind == spec.EntityPrivateKey { // too long for a token
		return spec.RedactTag
	}
	return leakModes[int(kind)%len(leakModes)]
}

// allKinds is a policy that looks for every kind, in requests and answers.
func allKinds(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("apiVersion: weir.dev/v1alpha1\nkind: RedactionPolicy\nmetadata: {name: all}\nspec:\n  entities:\n")
	for kind := range spec.EntityKind(spec.EntityKinds) {
		fmt.Fprintf(&b, "    - {kind: %s, mode: %s, basis: GDPR Art. 32}\n", kind, leakMode(kind))
	}
	return b.String()
}

// TestNoValueLeaks sends personal data of every kind, in every spelling, through real
// Envoys in requests and in answers, and finds it nowhere that anything writes to: logs,
// access logs, statistics, configuration dumps, the xds-server's state and the evidence.
func TestNoValueLeaks(t *testing.T) {
	artefact.Built(t, "filter.wasm")
	var answer atomic.Value
	answer.Store("")
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte(`"stream":true`)) {
			w.Header().Set("content-type", "text/event-stream")
			_, _ = fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"}}]}\n\ndata: [DONE]\n\n", answer.Load())
			return
		}
		w.Header().Set("content-type", "application/json")
		_, _ = fmt.Fprintf(w, `{"choices":[{"message":{"content":"%s"}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}`, answer.Load())
	}))
	t.Cleanup(upstream.Close)
	p := startPlane(t, func(p *plane) {
		p.gatewayHas(t, "", "  accessLog: true\n  evidence: {}\n")
		p.write(t, "model.yaml", sole("m", strings.TrimPrefix(upstream.URL, "http://")))
		p.write(t, "redaction.yaml", allKinds(t))
	})
	eventually(t, 20*time.Second, func() error { _, err := p.ask(t, "m"); return err })
	needles := map[string]bool{}
	sent := 0
	for _, evasion := range corpus.Evasions() {
		for kind := range spec.EntityKind(spec.EntityKinds) {
			texts := corpus.Values(7, kind, evasion, 6)
			for _, text := range texts {
				for _, l := range text.Labels {
					addNeedles(needles, text.Raw[l.From:l.To])
				}
			}
			if len(texts) > 0 {
				answer.Store(texts[0].Raw)
				p.tell(t, texts, sent%2 == 1)
				sent++
			}
		}
	}
	before := p.awaitRecords(t, sent)
	report, faults := p.kept(t)
	if len(faults) > 0 {
		t.Errorf("%+v\n%s", report, strings.Join(faults, "\n"))
	}
	p.recordedKinds(t)
	t.Logf("%d requests, %d texts to look for, %d records", sent, len(needles), before)
	for name, text := range p.everything(t) {
		for needle := range needles {
			if i := bytes.Index(text, []byte(needle)); i >= 0 {
				t.Errorf("%s holds %q: …%s…", name, needle, text[max(0, i-60):min(len(text), i+60)])
			}
		}
	}
}

// addNeedles adds a value, and its digits if they are many.
func addNeedles(needles map[string]bool, value string) {
	if len(value) >= 7 {
		needles[value] = true
	}
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, value)
	if len(digits) >= 9 && !strings.Contains(value, `\u`) {
		needles[digits] = true
	}
}

// tell sends texts as messages; what the gateway answers is no matter here.
func (p *plane) tell(t *testing.T, texts []corpus.Text, stream bool) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `{"model":"m","max_tokens":8,"stream":%v,"messages":[`, stream)
	for i, text := range texts {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"role":"user","content":"%s"}`, text.Raw)
	}
	b.WriteString(`]}`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+loopback(p.gateway)+"/v1/chat/completions", strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	a, err := send(req)
	if err != nil {
		t.Fatal(err)
	}
	if a.status != http.StatusOK && a.status != http.StatusForbidden && a.status != http.StatusBadGateway {
		t.Fatalf("%s is answered %d: %s", b.String(), a.status, clip(a.body))
	}
}

// recordedKinds fails unless the evidence tells of every kind.
func (p *plane) recordedKinds(t *testing.T) {
	t.Helper()
	var all strings.Builder
	p.lines(t, func(l evidence.Line) { all.Write(l.Record) })
	for kind := range spec.EntityKind(spec.EntityKinds) {
		for _, want := range []string{
			fmt.Sprintf(`{"kind":"%s","direction":"request","mode":"%s","count":`, kind, leakMode(kind)),
			fmt.Sprintf(`{"kind":"%s","direction":"request","digest":"`, kind),
		} {
			if !strings.Contains(all.String(), want) {
				t.Errorf("no record has %s", want)
			}
		}
	}
	if !strings.Contains(all.String(), `"basis":"GDPR Art. 32"`) {
		t.Error("no record names a legal basis")
	}
}

// everything is all that the programs of a plane have written or show, by its name.
func (p *plane) everything(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{"the logs of Envoy and the xds-server": []byte(p.log.text())}
	if !strings.Contains(p.log.text(), `"chain":{"epoch"`) && !strings.Contains(p.log.text(), `\"chain\":`) {
		t.Error("the access log has no records")
	}
	for _, path := range []string{"/stats", "/stats/prometheus", "/config_dump?include_eds", "/clusters", "/listeners", "/server_info"} {
		text, err := p.envoy.Admin(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		all["Envoy's "+path] = text
	}
	for _, path := range []string{"/metrics", "/status"} {
		text, err := get(t.Context(), "http://"+loopback(p.admin)+path)
		if err != nil {
			t.Fatal(err)
		}
		all["the xds-server's "+path] = []byte(text)
	}
	err := filepath.WalkDir(p.state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		all[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
