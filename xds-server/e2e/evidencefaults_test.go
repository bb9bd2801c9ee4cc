package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/evidence"
)

// blameAnswers are what an upstream says, by name: headers behind the status line, and
// the body.
var blameAnswers = map[string]struct{ status, headers, body string }{
	"fine":          {"200 OK", "content-type: application/json", `{"choices":[{"message":{"content":"` + strangerPhone + ` or ` + strangerMail + `"}}]}`},
	"UTF-16":        {"200 OK", "content-type: text/event-stream; charset=utf-16le", wide("data: {}\n\n")},
	"guessed":       {"200 OK", "content-type: text/html", "data: {\"a\":\"139876\"}\n\ndata: {\"a\":\"54321!\"}\n\n"},
	"beside":        {"400 Bad Request", "content-type: text/event-stream", `{"error":"` + strangerPhone + `"}`},
	"broken":        {"200 OK", "content-type: text/event-stream", "data: {\"a\":\"" + strangerPhone + "!\"}\n\ndata: {\"a\":\n\ndata: {\"a\":1}\n\n"},
	"blocked":       {"200 OK", "content-type: application/json", `{"a":"` + strangerID + `"}`},
	"blocked later": {"200 OK", "content-type: text/event-stream", "data: {\"a\":\"hello, \"}\n\ndata: {\"a\":\"" + strangerID + "!\"}\n\n"},
	"cut":           {"200 OK", "content-type: application/json\r\ncontent-length: 1000", `{"a":"` + strangerPhone + ` and`},
}

// faultCase is a request, and what its record has to say.
type faultCase struct {
	name, kind, text string // of the answer; content-type and content of the request
	status           int
	outcome, answer  string
	found            []string
}

// faultCases are requests to which upstreams give blameAnswers.
func faultCases() []faultCase {
	phones := func(direction string, n int) string {
		return fmt.Sprintf(`{"kind":"phone","direction":"%s","mode":"tag","count":%d,"basis":"PIPL Art. 51"}`, direction, n)
	}
	mail := `{"kind":"email","direction":"response","mode":"mask","count":1}`
	id := func(direction string) string {
		return fmt.Sprintf(`{"kind":"residentID","direction":"%s","mode":"block","count":1}`, direction)
	}
	const kind = "application/json"
	return []faultCase{
		{"fine", kind, ownPhone + " " + ownPhone, 200, "forward", "", []string{phones("request", 2), phones("response", 1), mail}},
		{"", kind, ownPhone + " " + strangerID, 403, "personal_data", "", []string{phones("request", 1), id("request")}},
		{"", kind, "\xff" + ownPhone, 400, "invalid_json", "", nil},
		{"", kind + "; charset=utf-16", ownPhone, 415, "unsupported_media_type", "", []string{phones("request", 1)}},
		{"", kind + "; charset=utf8", ownPhone, 200, "forward", "", []string{phones("request", 1)}},
		{"UTF-16", kind, "hello", 502, "unreadable_answer", "refused", nil},
		{"guessed", kind, "hello", 200, "forward", "", []string{phones("response", 1)}},
		{"beside", kind, "hello", 400, "forward", "", []string{phones("response", 1)}},
		{"broken", kind, "hello", 200, "forward", "broken", []string{phones("response", 1)}},
		{"blocked", kind, "hello", 403, "blocked_answer", "blocked", []string{id("response")}},
		{"blocked later", kind, "hello", 200, "forward", "blocked", []string{id("response")}},
		{"cut", kind, "hello", 200, "forward", "", []string{phones("response", 1)}},
	}
}

// says is what a record says of a fault.
func says(outcome, answer, found, output string) string {
	return fmt.Sprintf("outcome %s, answer %q, found %s, output %s", outcome, answer, found, output)
}

// ask sends the request under an id, and returns what its record has to say.
func (c *faultCase) ask(t *testing.T, p *plane, id string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+loopback(p.gateway)+"/v1/chat/completions",
		strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"`+c.text+`"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", c.kind)
	req.Header.Set("x-answer", c.name)
	req.Header.Set("x-request-id", id)
	resp, err := plain.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	defer resp.Body.Close()
	got, _ := io.ReadAll(resp.Body) // up to where it is reset
	if resp.StatusCode != c.status || bytes.Contains(got, []byte(strangerPhone)) || bytes.Contains(got, []byte("54321")) || bytes.Contains(got, []byte(strangerID)) {
		t.Errorf("%s %q: %d %q", c.name, c.text, resp.StatusCode, got)
	}
	output := ""
	if c.outcome == "forward" {
		output = fmt.Sprintf(`{"sha256":"%x","bytes":%d}`, sha256.Sum256(got), len(got))
	}
	return says(c.outcome, c.answer, "["+strings.Join(c.found, ",")+"]", output)
}

// blame is an upstream that gives blameAnswers.
func blame(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	conn, buffer, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	a, ok := blameAnswers[r.Header.Get("x-answer")]
	if !ok {
		a.status, a.headers, a.body = "200 OK", "content-type: application/json", "{}"
	}
	_, _ = fmt.Fprintf(buffer, "HTTP/1.1 %s\r\n%s\r\nconnection: close\r\n\r\n%s", a.status, a.headers, a.body)
	_ = buffer.Flush()
}

// TestEvidenceOfFaults has requests and answers fail in every way that redaction knows,
// through a real Envoy: each has one record that says what was found, what became of it
// and, byte for byte, what the client got.
func TestEvidenceOfFaults(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(blame))
	t.Cleanup(upstream.Close)
	p := startPlane(t, func(p *plane) {
		p.gatewayHas(t, "", "  evidence: {}\n")
		p.write(t, "model.yaml", sole("m", strings.TrimPrefix(upstream.URL, "http://")))
		p.write(t, "redaction.yaml", `apiVersion: weir.dev/v1alpha1
kind: RedactionPolicy
metadata: {name: faults}
spec:
  entities: [{kind: phone, mode: tag, basis: PIPL Art. 51}, {kind: email, mode: mask}, {kind: residentID, mode: block}]
`)
	})
	eventually(t, 30*time.Second, func() error { _, err := p.ask(t, "m"); return err })
	before := p.records(t)
	wanted := map[string]string{} // what the record has to say, by the request's id
	for i, c := range faultCases() {
		id := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		wanted[id] = c.ask(t, p, id)
	}
	p.awaitRecords(t, before+len(wanted))
	p.lines(t, func(l evidence.Line) { compareFault(t, wanted, l.Record) })
	for _, want := range wanted {
		t.Errorf("there is no record of %s", want)
	}
	if report, faults := p.kept(t); len(faults) > 0 || report.Missing != 0 {
		t.Errorf("%+v\n%s", report, strings.Join(faults, "\n"))
	}
}

// compareFault compares a record with what it has to say, if it is one of these, and takes
// that out of wanted.
func compareFault(t *testing.T, wanted map[string]string, record []byte) {
	t.Helper()
	var r struct {
		Request, Outcome, Answer string
		Found, Output            json.RawMessage
	}
	if err := json.Unmarshal(record, &r); err != nil {
		t.Errorf("%s: %v", record, err)
	}
	want, ok := wanted[r.Request]
	if !ok {
		return
	}
	delete(wanted, r.Request)
	if r.Found == nil {
		r.Found = []byte("[]")
	}
	if r.Outcome != "forward" {
		r.Output = nil // the filter's own
	}
	if got := says(r.Outcome, r.Answer, string(r.Found), string(r.Output)); got != want {
		t.Errorf("the record says\n%s, and what was is\n%s", got, want)
	}
}
