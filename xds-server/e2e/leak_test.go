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
	"slices"
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
	if kind == spec.EntityPrivateKey || kind == spec.EntityJWT { // a request keeps 8 KB of values for tokens
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

// leakShare is how many texts go in one request.
const leakShare = 30

// TestNoValueLeaks sends the whole detection corpus, personal data of every kind in every
// spelling, through a real Envoy in requests and in answers, and finds nothing of it
// anywhere that anything writes to: logs, access logs, traces, statistics, configuration
// dumps, the xds-server's state and the evidence.
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
	spans := startCollector(t)
	p := startPlane(t, func(p *plane) {
		p.gatewayHas(t, "", "  accessLog: true\n  evidence: {}\n  tracing: {endpoints: [\""+spans.address+"\"], insecure: true, percent: 100}\n")
		p.write(t, "model.yaml", sole("m", strings.TrimPrefix(upstream.URL, "http://")))
		p.write(t, "redaction.yaml", allKinds(t))
	})
	eventually(t, 30*time.Second, func() error { _, err := p.ask(t, "m"); return err })
	needles := needles{}
	sent, asked := 0, 0
	for _, evasion := range corpus.Evasions() {
		for kind := range spec.EntityKind(spec.EntityKinds) {
			for _, seed := range corpus.Seeds() {
				for texts := range slices.Chunk(corpus.Values(seed, kind, evasion, corpus.PerSeed), leakShare) {
					answer.Store(needles.add(texts))
					p.tell(t, texts, sent%2 == 1)
					sent++
					asked += len(texts)
				}
			}
		}
	}
	before := p.awaitRecords(t, sent)
	report, faults := p.kept(t)
	if len(faults) > 0 {
		t.Errorf("%+v\n%s", report, strings.Join(faults, "\n"))
	}
	p.recordedKinds(t)
	t.Logf("%d texts in %d requests, %d beginnings of what to look for, %d records", asked, sent, len(needles), before)
	for name, text := range p.everything(t) {
		needles.miss(t, name, text)
	}
	needles.miss(t, "the spans", spans.await(t, "/v1/chat/completions", sent))
}

// needles are what may stand nowhere, by their first bytes.
type needles map[string][]string

// needleHead is how many bytes those are: what is shorter is no value by itself.
const needleHead = 7

// add adds the values of texts. It returns the texts in one.
func (n needles) add(texts []corpus.Text) string {
	var all strings.Builder
	for _, text := range texts {
		for _, l := range text.Labels {
			n.value(text.Raw[l.From:l.To])
		}
		all.WriteString(text.Raw + `\n`)
	}
	return all.String()
}

// miss fails if a text holds one of them. Of all that it holds of one text, one is told.
func (n needles) miss(t *testing.T, name string, text []byte) {
	t.Helper()
	for i := range len(text) - needleHead + 1 {
		for _, needle := range n[string(text[i:i+needleHead])] {
			if bytes.HasPrefix(text[i:], []byte(needle)) && !inDigest(text, i, needle) {
				t.Errorf("%s holds %q: …%s…", name, needle, text[max(0, i-60):min(len(text), i+60)])
				return
			}
		}
	}
}

// inDigest says whether a few digits are a part of longer hexadecimal ones, as by chance
// some of a digest are.
func inDigest(text []byte, i int, needle string) bool {
	const hex = "0123456789abcdef"
	if len(needle) > 9 || strings.Trim(needle, "0123456789") != "" {
		return false
	}
	end := i + len(needle)
	return i > 0 && strings.IndexByte(hex, text[i-1]) >= 0 || end < len(text) && strings.IndexByte(hex, text[end]) >= 0
}

// value adds a value, and its digits if they are many.
func (n needles) value(value string) {
	if len(value) >= needleHead {
		n[value[:needleHead]] = append(n[value[:needleHead]], value)
	}
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, value)
	if len(digits) >= 9 && digits != value && !strings.Contains(value, `\u`) {
		n[digits[:needleHead]] = append(n[digits[:needleHead]], digits)
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
