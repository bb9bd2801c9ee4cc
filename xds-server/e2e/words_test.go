package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
)

// dictionary makes n lines: names of people, half of them in Latin letters, half Chinese,
// each once, and the last ones as given.
func dictionary(n int, last ...string) string {
	rng := rand.New(rand.NewPCG(7, 1))
	latin := strings.Fields("an ba cor de el fi gra hu in jo ka lo mi no or pa qui ra sta tu un ve wi xa yo zen ber ton ley man son ish ard eth ford mor ris ell ace low win car lin")
	syllables := func(k int) string {
		var b strings.Builder
		for range k {
			b.WriteString(latin[rng.IntN(len(latin))])
		}
		return strings.ToUpper(b.String()[:1]) + b.String()[1:]
	}
	seen := make(map[string]bool, n)
	var b strings.Builder
	for len(seen) < n-len(last) {
		name := syllables(1+rng.IntN(2)) + " " + syllables(2+rng.IntN(2))
		if len(seen)%2 == 0 {
			name = string([]rune{0x4E00 + 7*rng.Int32N(200), 0x5000 + 3*rng.Int32N(1200), 0x5000 + 3*rng.Int32N(1200)})
		}
		if !seen[name] {
			seen[name] = true
			b.WriteString(name + "\n")
		}
	}
	b.WriteString(strings.Join(last, "\n") + "\n")
	return b.String()
}

// echoing is a server that answers with what it got.
func echoing(t *testing.T) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-type", "application/json")
		_, _ = io.Copy(w, r.Body) // the client's side tells
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// said asks a model and returns what came to it.
func (p *plane) said(t *testing.T, model, text string) (string, error) {
	t.Helper()
	body := `{"model":"` + model + `","messages":[{"role":"user","content":"` + text + `"}]}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+loopback(p.gateway)+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	a, err := send(req)
	if err != nil {
		return "", err
	}
	if a.status != http.StatusOK {
		return "", fmt.Errorf("answered %d: %s", a.status, clip(a.body))
	}
	_, said, _ := strings.Cut(string(a.body), `"content":"`)
	said, _, _ = strings.Cut(said, `"`)
	return said, nil
}

// TestDictionary gives a real Envoy a list of 100,000 words from a file, and new versions
// of the file while requests go through: the last word of the list in force is replaced,
// and no request fails. A list that is wrong changes nothing.
func TestDictionary(t *testing.T) {
	artefact.Built(t, "filter.wasm")
	const words = 100_000
	u := upstream(t)
	p := startPlane(t, func(p *plane) {
		p.write(t, "echo.yaml", sole("echo", echoing(t)))
		p.write(t, "steady.yaml", sole("steady", u.Address()))
	})
	p.memory(t, "without words")
	p.apply(t, func() {
		p.write(t, "names.words", dictionary(words, "Zyxomma Petiolatum"))
		p.write(t, "redaction.yaml", `apiVersion: weir.dev/v1alpha1
kind: RedactionPolicy
metadata: {name: names}
spec: {custom: [{name: NAME, wordsFrom: [names.words], mode: tag, directions: [request]}]}
`)
	})
	const text = "is ZYXOMMA\u200b petiolatum here, or Zyxomma Obtusum, or 终末之人?"
	if said, err := p.said(t, "echo", text); err != nil || said != "is <NAME> here, or Zyxomma Obtusum, or 终末之人?" {
		t.Errorf("with the first list: %q, %v", said, err)
	}
	eventually(t, 30*time.Second, func() error { // it is told with a worker's tick
		const counter = "wasmcustom.weir.redactions.custom_NAME.request.tag.forwarded"
		stats, err := p.envoy.Stats(t.Context(), "^"+strings.ReplaceAll(counter, ".", `\.`)+"$")
		if err != nil || stats[counter] != 1 {
			return fmt.Errorf("%s: %v, %w", counter, stats, err)
		}
		return nil
	})
	p.memory(t, "with the list")
	l := p.loads(t, "steady")
	for i := range 6 {
		last, want := "Zyxomma Obtusum", "is ZYXOMMA\u200b petiolatum here, or <NAME>, or 终末之人?"
		if i%2 == 1 {
			last, want = "终末之人", "is ZYXOMMA\u200b petiolatum here, or Zyxomma Obtusum, or <NAME>?"
		}
		began := time.Now()
		p.apply(t, func() { p.write(t, "names.words", dictionary(words, last)) })
		t.Logf("the list of %s is in force after %s", last, time.Since(began).Round(time.Millisecond))
		if said, err := p.said(t, "echo", text); err != nil || said != want {
			t.Errorf("with %s at the end: %q, %v; want %q", last, said, err, want)
		}
		l.goOn("another list")
	}
	p.write(t, "names.words", dictionary(words, "a\tb"))
	eventually(t, 30*time.Second, func() error {
		s, err := p.status(t.Context())
		if err != nil || len(s.Config.Problems) != 1 || !strings.HasSuffix(s.Config.Problems[0].File, "names.words") || s.Config.Problems[0].Line != words {
			return fmt.Errorf("the list that is wrong is not told: %+v, %w", s.Config.Problems, err)
		}
		return nil
	})
	if said, err := p.said(t, "echo", text); err != nil || !strings.HasSuffix(said, "<NAME>?") {
		t.Errorf("with a list that is wrong: %q, %v", said, err)
	}
	l.end()
	p.memory(t, "after seven lists")
}

// memory logs what Envoy, and the VM of one of its workers, have.
func (p *plane) memory(t *testing.T, when string) {
	t.Helper()
	rss, err := p.envoy.RSS()
	if err != nil {
		t.Fatal(err)
	}
	stats, err := p.envoy.Stats(t.Context(), `^wasmcustom\.weir\.memory_bytes$`)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: resident %.1f MiB, a VM %.1f MiB", when, float64(rss)/(1<<20), float64(stats["wasmcustom.weir.memory_bytes"])/(1<<20))
}
