package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/corpus"
	"github.com/weirmesh/weir/xds-server/internal/supervise"
)

// TestSidecarLeaksNoValue sends personal data of every kind to the real sidecar, as texts
// to embed and in requests that are broken where its errors quote them, and finds it
// neither in its log, with all of that on, nor in its metrics.
func TestSidecarLeaksNoValue(t *testing.T) {
	sidecar, models := artefact.Built(t, "inference-sidecar"), artefact.Tool(t, "models")
	log, api, metrics := newLogbook(), freePort(t), freePort(t)
	group := supervise.New(supervise.Options{Output: log, Notify: func(supervise.Event) {}, Grace: 10 * time.Second, RestartMin: time.Hour, RestartMax: time.Hour})
	t.Cleanup(func() { group.Stop(t.Context()) })
	err := group.Start(t.Context(), supervise.Program{
		Name: "sidecar", Path: sidecar, Args: []string{
			"--models", models, "--http", loopback(api), "--metrics", loopback(metrics), "--insecure-plaintext", "--log-level", "debug",
			"--onnxruntime-lib", artefact.Tool(t, "lib/libonnxruntime.so"),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, func() error {
		_, err := get(t.Context(), "http://"+loopback(metrics)+"/v2/health/ready")
		return err
	})
	needles := needles{}
	good, bad := 0, 0
	for kind := range spec.EntityKind(spec.EntityKinds) {
		for _, evasion := range corpus.Evasions() {
			for _, text := range corpus.Values(9001, kind, evasion, 2) {
				needles.add([]corpus.Text{text})
				g, b := tellSidecar(t, "http://"+loopback(api), text)
				good, bad = good+g, bad+b
			}
		}
	}
	if good < 300 || bad < 2500 || !log.has("request failed") {
		t.Errorf("%d requests went well, %d did not: the log is %s", good, bad, lastLines(log.text(), 3))
	}
	shown, err := get(t.Context(), "http://"+loopback(metrics)+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	needles.miss(t, "the sidecar's log", []byte(log.text()))
	needles.miss(t, "the sidecar's metrics", []byte(shown))
	t.Logf("%d requests went well, %d did not, %d bytes of log", good, bad, len(log.text()))
}

// tellSidecar sends a text and its value in all places that an error may quote, and says
// how many requests went well and how many did not.
func tellSidecar(t *testing.T, base string, text corpus.Text) (good, bad int) {
	t.Helper()
	value := text.Raw
	if len(text.Labels) > 0 {
		value = text.Raw[text.Labels[0].From:text.Labels[0].To]
	}
	digits := "1" + strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, value)
	const input = `{"inputs":[{"name":"input_ids","shape":[1,2],"datatype":"INT64","data":[%s,102]},{"name":"attention_mask","shape":[1,2],"datatype":"INT64","data":[1,1]},{"name":"token_type_ids","shape":[1,2],"datatype":"INT64","data":[0,0]}]}`
	for _, r := range []struct{ path, body string }{
		{"/v1/embeddings", `{"model":"minilm","input":"` + text.Raw + `"}`},
		{"/v1/embeddings", `{"model":"` + value + `","input":"x"}`},
		{"/v1/embeddings", `{"model":"minilm","input":"x","encoding_format":"` + value + `"}`},
		{"/v1/embeddings", `{"model":"minilm","input":"x","` + value + `":1,"` + value + `":2}`},
		{"/v1/embeddings", `{"model":"minilm","input":"x" ` + value},
		{"/v2/models/minilm/infer", fmt.Sprintf(input, digits)},
		{"/v2/models/minilm/infer", fmt.Sprintf(input, `"`+value+`"`)},
		{"/v2/models/minilm/infer", fmt.Sprintf(input, digits+".5")},
		{"/v2/models/minilm/infer", `{"inputs":[{"name":"` + value + `","shape":[1],"datatype":"` + value + `","data":["` + value + `"]}]}`},
		{"/v2/models/minilm/infer", `{"inputs":[{"name":"` + value + `","shape":[1],"datatype":"BYTES","data":["` + value + `"]}],"outputs":[{"name":"` + value + `"}]}`},
		{"/v2/models/" + strings.NewReplacer("%", "%25", "/", "%2F", "?", "%3F", "#", "%23", " ", "%20", "\\", "%5C").Replace(value) + "/infer", `{}`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+r.path, strings.NewReader(r.body))
		if err != nil {
			continue // no path for a client
		}
		req.Header.Set("content-type", "application/json")
		a, err := send(req)
		switch {
		case err != nil:
			t.Fatal(err)
		case a.status == http.StatusOK:
			good++
		default:
			bad++
		}
	}
	return good, bad
}
