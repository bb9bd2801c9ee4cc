package calibrate_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tiktoken-go/tokenizer"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/internal/calibrate"
)

var update = flag.Bool("update", false, "write the golden files")

// corpus is a kind of text: the parts that numbers are fitted to, and those that they
// are tried on.
type corpus struct {
	name         string
	fitted, held []string
}

// The English and the Chinese texts were written for this test: prose, chat, mail,
// instructions, minutes, technical text, and text with both. The code is the standard
// library's of the Go that runs the test.
func corpora(t *testing.T) []corpus {
	t.Helper()
	var all []corpus
	for _, name := range []string{"english", "chinese"} {
		text, err := os.ReadFile("testdata/texts/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, halves(name, strings.Split(strings.TrimSpace(string(text)), "\n\n")))
	}
	return append(all, halves("code", code(t)))
}

// halves gives every other part to each half.
func halves(name string, parts []string) corpus {
	c := corpus{name: name}
	for i, part := range parts {
		if i%2 == 0 {
			c.fitted = append(c.fitted, part)
		} else {
			c.held = append(c.held, part)
		}
	}
	return c
}

// code returns source in parts of at least 800 bytes.
func code(t *testing.T) []string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, name := range []string{
		"bufio/scan.go", "container/heap/heap.go", "encoding/json/decode.go", "net/http/header.go", "net/url/url.go", "os/exec/exec.go",
		"path/filepath/path.go", "regexp/syntax/parse.go", "sort/search.go", "strings/strings.go", "text/template/exec.go", "time/format.go",
	} {
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "src", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		part := ""
		for _, block := range strings.SplitAfter(string(text), "\n\n") {
			if part += block; len(part) > 800 {
				parts = append(parts, part)
				part = ""
			}
		}
	}
	return parts
}

// api is how a model is asked, and what it says that a prompt cost.
type api struct {
	name, path string
	body       func(parts []string) any
	cost       func(parts []string) int
}

func apis(t *testing.T) []api {
	t.Helper()
	var all []api
	for _, encoding := range []tokenizer.Encoding{tokenizer.Cl100kBase, tokenizer.O200kBase, tokenizer.R50kBase} {
		codec, err := tokenizer.Get(encoding)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, chat(t, string(encoding), codec))
	}
	minilm := readWordPiece(t)
	return append(all, api{
		name: "MiniLM", path: "/v1/embeddings",
		body: func(parts []string) any { return map[string]any{"input": strings.Join(parts, "\n")} },
		cost: func(parts []string) int { return minilm.count(strings.Join(parts, "\n")) },
	})
}

// chat is a chat completion with a message for each part. What it costs beside its
// text is what OpenAI says of its models: 3 tokens a message, 3 for the answer's begin.
func chat(t *testing.T, name string, codec tokenizer.Codec) api {
	count := func(text string) int {
		n, err := codec.Count(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return api{
		name: name, path: "/v1/chat/completions",
		body: func(parts []string) any {
			var messages []map[string]string
			for _, part := range parts {
				messages = append(messages, map[string]string{"role": "user", "content": part})
			}
			return map[string]any{"messages": messages}
		},
		cost: func(parts []string) int {
			n := 3
			for _, part := range parts {
				n += 3 + count("user") + count(part)
			}
			return n
		},
	}
}

// requests is how many of each kind there are.
const requests = 100

// pick returns one to three parts for each request.
func pick(parts []string, seed uint64) [][]string {
	random := rand.New(rand.NewPCG(seed, 1))
	var all [][]string
	for range requests {
		var some []string
		for _, i := range random.Perm(len(parts))[:1+random.IntN(3)] {
			some = append(some, parts[i])
		}
		all = append(all, some)
	}
	return all
}

// gateway is the filter's engine with one model, which has this estimate.
type gateway struct {
	t       *testing.T
	program *engine.Program
	stream  *engine.Stream
	*bucket.Memory
}

func newGateway(t *testing.T, estimate *spec.Estimate) *gateway {
	t.Helper()
	program, err := engine.Compile(spec.Encode(&spec.Document{
		Version:  spec.Version,
		Settings: spec.Settings{HoldLimit: 1 << 20, WorkerHoldLimit: 1 << 20, MaxDepth: 64, Record: true},
		Models:   []spec.Model{{Name: "m", Estimate: estimate}},
		Limits:   []spec.Limit{{Name: "all", Mode: spec.LimitTokens, Tokens: spec.Tokens{Capacity: 1_000_000_000, RefillMilli: 1, DefaultOutput: 1}}},
	}), nil)
	if err != nil {
		t.Fatal(err)
	}
	return &gateway{t: t, program: program, stream: engine.NewStream(hold.NewPool(1 << 20)), Memory: bucket.NewMemory(1)}
}

func (g *gateway) Now() int64             { return 1 }
func (g *gateway) Random() uint64         { return 1 }
func (g *gateway) Peer() []byte           { return nil }
func (g *gateway) Property(string) []byte { return nil }
func (g *gateway) Keys() *redact.Keys     { return nil }

// line is what the access log says of a request.
func (g *gateway) line(a *api, parts []string) string {
	g.t.Helper()
	fields := a.body(parts).(map[string]any)
	fields["model"] = "m"
	body, err := json.Marshal(fields)
	if err != nil {
		g.t.Fatal(err)
	}
	s := g.stream
	s.Reset(g.program, g)
	for _, h := range [][2]string{{":method", "POST"}, {":path", a.path}, {"content-type", "application/json"}} {
		s.Header([]byte(h[0]), []byte(h[1]))
	}
	s.Headers(false)
	if s.Body(body, true) != engine.Forward {
		g.t.Fatalf("%s", s.Record())
	}
	s.ResponseHeader([]byte(":status"), []byte("200"))
	s.ResponseHeaders(false)
	s.ResponseBody(fmt.Appendf(nil, `{"usage":{"prompt_tokens":%d,"completion_tokens":1}}`, a.cost(parts)), nothing{})
	s.ResponseEnd(nothing{})
	line, err := json.Marshal(map[string]string{"method": "POST", "weir": string(s.Record())})
	if err != nil {
		g.t.Fatal(err)
	}
	return string(line)
}

// samples runs requests through the filter's engine and reads its log.
func samples(t *testing.T, a *api, estimate *spec.Estimate, all [][]string) []calibrate.Sample {
	t.Helper()
	var log strings.Builder
	g := newGateway(t, estimate)
	for _, parts := range all {
		log.WriteString(g.line(a, parts) + "\n")
	}
	read, others, err := calibrate.Read(strings.NewReader(log.String()))
	if err != nil || others != 0 || len(read) != len(all) {
		t.Fatalf("%d of %d requests, %d others, %v", len(read), len(all), others, err)
	}
	return read
}

// meanError is that of the filter's estimates.
func meanError(all []calibrate.Sample) float64 {
	sum := 0.0
	for _, s := range all {
		sum += math.Abs(float64(s.Estimated-s.Actual)) / float64(s.Actual)
	}
	return sum / float64(len(all))
}

// most is the mean error that is allowed after calibration.
const most = 0.10

// TestRealTokenizers calibrates for real tokenizers on one half of the texts, and asks
// the filter for its estimates of the other half.
func TestRealTokenizers(t *testing.T) {
	texts := corpora(t)
	var table strings.Builder
	table.WriteString("| tokenizer | English | Chinese | code |\n|---|---|---|---|\n")
	for _, a := range apis(t) {
		var fitted [][]string
		for i, c := range texts {
			fitted = append(fitted, pick(c.fitted, uint64(i))...)
		}
		result, err := calibrate.Fit(samples(t, &a, nil, fitted))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s\n%s", a.name, result.YAML("m"))
		table.WriteString("| " + a.name)
		for i, c := range texts {
			held := pick(c.held, uint64(i+100))
			before := meanError(samples(t, &a, nil, held))
			after := meanError(samples(t, &a, &result.Estimate, held))
			if after > most {
				t.Errorf("%s, %s: the mean error is %.1f%%", a.name, c.name, after*100)
			}
			fmt.Fprintf(&table, " | %.1f%% → %.1f%%", before*100, after*100)
		}
		table.WriteString(" |\n")
	}
	compareTable(t, table.String())
}

// guide has the table between two marks.
const (
	guide = "../../../docs/LIMITS.md"
	begin = "<!-- what calibration does: written by internal/calibrate's test -->\n"
	end   = "<!-- end -->\n"
)

// compareTable compares with what the guide says. The code is another Go's there
// perhaps, so figures may be off by a point.
func compareTable(t *testing.T, table string) {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	said, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the table", guide)
	}
	if *update {
		if err := os.WriteFile(guide, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	figure := regexp.MustCompile(`\d+\.\d`)
	is, was := figure.FindAllString(table, -1), figure.FindAllString(said, -1)
	same := len(is) == len(was) && figure.ReplaceAllString(table, "") == figure.ReplaceAllString(said, "")
	for i := 0; same && i < len(is); i++ {
		a, _ := strconv.ParseFloat(is[i], 64)
		b, _ := strconv.ParseFloat(was[i], 64)
		same = math.Abs(a-b) <= 1
	}
	if !same {
		t.Errorf("%s says\n%sbut it is (run the test with -update)\n%s", guide, said, table)
	}
}

// nothing is an output that drops what it gets.
type nothing struct{}

func (nothing) Write([]byte) error { return nil }
