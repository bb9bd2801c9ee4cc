package measure

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/staticenvoy"
)

// StreamOptions are the artefacts and the size of a measurement of streamed answers.
type StreamOptions struct {
	Envoy, Module string // paths
	Rounds        int    // answers at the model's pace of each variant and each way to cut words
}

// Shape of the answers.
const (
	streamEvents = 60 // with text; the first event has the role alone
	streamPace   = 20 * time.Millisecond
	atOnceRounds = 10 // times as many answers that come at once
)

// Streams measures when the events and the text of streamed answers arrive: through Envoy
// alone, with the filter, and with the filter redacting them. The variants take turns.
func Streams(ctx context.Context, o StreamOptions, out io.Writer) (err error) {
	if err := confine(); err != nil {
		return err
	}
	m := &model{sent: map[string]*sent{}}
	server := httptest.NewServer(m)
	defer server.Close()
	vs := []*variant{
		{name: "Envoy alone"},
		{name: "filter, answers as they are", filter: staticenvoy.Wasm(o.Module, string(spec.Encode(routingOnly())))},
		{name: "phone numbers redacted", filter: staticenvoy.Wasm(o.Module, string(spec.Encode(redacting(spec.EntityPhone))))},
		{name: "all kinds redacted", filter: staticenvoy.Wasm(o.Module, string(spec.Encode(redacting(allKinds()...))))},
	}
	defer func() {
		for _, v := range vs {
			v.stop()
		}
	}()
	for _, v := range vs {
		if err := v.start(ctx, BenchOptions{Envoy: o.Envoy, Module: o.Module}, strings.TrimPrefix(server.URL, "http://")); err != nil {
			return err
		}
	}
	for _, pace := range []time.Duration{streamPace, 0} {
		for _, cut := range []string{"before", "behind"} {
			if err := m.compare(ctx, o, vs, pace, cut, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// allKinds are all kinds of values.
func allKinds() (all []spec.EntityKind) {
	for k := range spec.EntityKinds {
		all = append(all, spec.EntityKind(k))
	}
	return all
}

// redacting is a policy that looks for these kinds in requests and answers.
func redacting(kinds ...spec.EntityKind) *spec.Document {
	d := routingOnly()
	r := spec.Redaction{Name: "personal-data"}
	for _, k := range kinds {
		r.Entities = append(r.Entities, spec.Entity{Kind: k, Mode: spec.RedactTag})
	}
	d.Redactions = []spec.Redaction{r}
	return d
}

// compare prints a table of the variants for answers at one pace whose words are cut in
// one way.
func (m *model) compare(ctx context.Context, o StreamOptions, vs []*variant, pace time.Duration, cut string, out io.Writer) error {
	rounds, title := o.Rounds, fmt.Sprintf("an event every %s", pace)
	if pace == 0 {
		rounds, title = o.Rounds*atOnceRounds, "all events at once"
	}
	all := make([]arrivals, len(vs))
	for round := range rounds + 1 {
		for i, v := range vs {
			a, err := m.ask(ctx, v.envoy.Address(), pace, cut)
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			if round > 0 { // the first one warms up
				all[i].add(a)
			}
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n%s, words with the space %s them, %d answers\nvariant\tfirst event\tfirst text\tbetween events\tp99\ta letter's way\tp99\tevents behind\n", title, cut, rounds)
	for i, v := range vs {
		a := &all[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.2f\n", v.name, at(a.first, .5), at(a.text, .5), at(a.between, .5), at(a.between, .99), at(a.way, .5), at(a.way, .99),
			float64(a.behind)/float64(len(a.way)))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print figures: %w", err)
	}
	return nil
}

// at is a quantile.
func at(v []time.Duration, q float64) time.Duration {
	s := slices.Sorted(slices.Values(v))
	return s[min(int(q*float64(len(s))), len(s)-1)].Round(time.Microsecond)
}

// arrivals say when what arrived of answers.
type arrivals struct {
	first, text []time.Duration // from the question to the first event, and to the first one with text
	between     []time.Duration // events
	way         []time.Duration // of each letter, from the model to the client
	behind      int             // letters that came later than the event that the model said them in
}

func (a *arrivals) add(b arrivals) {
	a.first, a.text = append(a.first, b.first...), append(a.text, b.text...)
	a.between, a.way, a.behind = append(a.between, b.between...), append(a.way, b.way...), a.behind+b.behind
}

// model is an upstream that answers with a stream of events.
type model struct {
	mu   sync.Mutex
	sent map[string]*sent // by the id of the question, guarded by mu
	asks int
}

// sent is when a model wrote the letters of an answer, and in which event.
type sent struct {
	done  chan struct{} // closed when all is written
	at    []time.Time
	event []int
}

// tokens are the pieces of an answer of a model, words with the space before or behind.
func tokens(cut string) []string {
	words := strings.Fields(strings.Repeat(prose, streamEvents*12/len(prose)+2))[:streamEvents]
	for i := range words {
		if cut == "before" {
			words[i] = " " + words[i]
		} else {
			words[i] += " "
		}
	}
	return words
}

const streamEvent = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4","choices":[{"index":0,"delta":%s,"finish_reason":null}]}` + "\n\n"

// ServeHTTP answers.
func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	m.mu.Lock()
	s := m.sent[r.Header.Get("x-ask")]
	m.mu.Unlock()
	if s == nil {
		http.Error(w, "nobody waits for the answer", http.StatusBadRequest)
		return
	}
	defer close(s.done)
	pace, err := time.ParseDuration(r.Header.Get("x-pace"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("content-type", "text/event-stream")
	_, _ = fmt.Fprintf(w, streamEvent, `{"role":"assistant","content":""}`) // the client sees what is missing
	ticker := time.NewTicker(max(pace, 1))
	defer ticker.Stop()
	for n, token := range tokens(r.Header.Get("x-cut")) {
		if pace > 0 {
			_ = http.NewResponseController(w).Flush() // an httptest.Server's can
			<-ticker.C
		}
		now := time.Now()
		for range token {
			s.at, s.event = append(s.at, now), append(s.event, n+1)
		}
		_, _ = fmt.Fprintf(w, streamEvent, fmt.Sprintf(`{"content":%q}`, token))
	}
	_, _ = io.WriteString(w, strings.Replace(fmt.Sprintf(streamEvent, "{}"), "null", `"stop"`, 1)+"data: [DONE]\n\n")
}

// ask asks the model for an answer by way of address and says what arrived when.
func (m *model) ask(ctx context.Context, address string, pace time.Duration, cut string) (a arrivals, err error) {
	m.mu.Lock()
	m.asks++
	id, s := fmt.Sprint(m.asks), &sent{done: make(chan struct{})}
	m.sent[id] = s
	m.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/chat/completions", bytes.NewReader(bytes.Replace(clean(), []byte(`"stream":false`), []byte(`"stream":true`), 1)))
	if err != nil {
		return a, fmt.Errorf("make a request: %w", err)
	}
	for name, value := range map[string]string{"content-type": "application/json", "x-ask": id, "x-pace": pace.String(), "x-cut": cut} {
		req.Header.Set(name, value)
	}
	begun := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, fmt.Errorf("ask: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	letters, err := a.read(resp.Body, begun)
	if err != nil {
		return a, err
	}
	<-s.done
	if resp.StatusCode != http.StatusOK || len(letters.at) != len(s.at) {
		return a, fmt.Errorf("the answer has status %d and %d letters, want 200 and %d", resp.StatusCode, len(letters.at), len(s.at))
	}
	for i := range s.at {
		a.way = append(a.way, letters.at[i].Sub(s.at[i]))
		if letters.event[i] > s.event[i] {
			a.behind++
		}
	}
	return a, nil
}

// read reads a stream of events of an answer that was asked for at begun.
func (a *arrivals) read(body io.Reader, begun time.Time) (letters sent, err error) {
	lines := bufio.NewScanner(body)
	var last time.Time
	for n := 0; lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		now := time.Now()
		text, err := content(data)
		if err != nil {
			return letters, err
		}
		if n == 0 {
			a.first = append(a.first, now.Sub(begun))
		} else {
			a.between = append(a.between, now.Sub(last))
		}
		if text != "" && len(letters.at) == 0 {
			a.text = append(a.text, now.Sub(begun))
		}
		for range text {
			letters.at, letters.event = append(letters.at, now), append(letters.event, n)
		}
		last = now
		n++
	}
	if err := lines.Err(); err != nil {
		return letters, fmt.Errorf("read the answer: %w", err)
	}
	return letters, nil
}

// content is the text of an event.
func content(data string) (string, error) {
	var event struct {
		Choices []struct {
			Delta struct {
				Content string `json:"content"`
			} `json:"delta"`
		} `json:"choices"`
	}
	if err := json.Unmarshal([]byte(data), &event); err != nil {
		return "", fmt.Errorf("read event %q: %w", data, err)
	}
	if len(event.Choices) == 0 {
		return "", nil
	}
	return event.Choices[0].Delta.Content, nil
}
