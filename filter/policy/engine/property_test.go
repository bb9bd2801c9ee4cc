package engine_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// writer writes a random JSON body, and beside it what it must become: the same
// with each string value redacted on its own, in one piece.
type writer struct {
	*rand.Rand
	body, want bytes.Buffer
	redactor   redact.Redactor
	session    redact.Session
	rules      *redact.Rules
}

var (
	spaces    = []string{"", "", "", " ", "\n\t", "\r\n  "}
	fragments = []string{
		"a", "text ", "中文，", `\u4e2d`, `\n`, `\"`, `\\`, `\ud83d\ude00`, "😀", "13800138000", "1380013", "8000", `\u0031380013800`,
		"alice@example.com", "alice@", "example.com", "11010519491231002X", "4111 1111 1111 1111", "4111111111111111", "１３８００１３８０００",
		"-", " ", "0", "+86 ", "%40", ".", "é", "\u200b",
	}
	keys    = []string{"a", "messages", "content", "13800138000", `m\u006fdels`, "", "alice@example.com", "maxTokens"}
	scalars = []string{"0", "-1.5e+10", "13800138000", "true", "false", "null", "4111111111111111"}
)

func (w *writer) both(s string) { w.body.WriteString(s); w.want.WriteString(s) }

func (w *writer) of(all []string) string { return all[w.IntN(len(all))] }

// text writes a string value.
func (w *writer) text(raw string) {
	w.both(`"`)
	w.body.WriteString(raw)
	w.redactor.Reset(w.rules, &w.session, sink{&w.want})
	w.redactor.StringStart()
	_ = w.redactor.Bytes([]byte(raw)) // a buffer takes everything
	_ = w.redactor.StringEnd()
	w.both(`"`)
}

type sink struct{ *bytes.Buffer }

func (s sink) Write(p []byte) error { s.Buffer.Write(p); return nil }

func (w *writer) value(depth int) {
	w.both(w.of(spaces))
	switch kind := w.IntN(8); {
	case kind == 0 && depth < 6:
		w.list("[", "]", func() { w.value(depth + 1) })
	case kind == 1 && depth < 6:
		w.list("{", "}", func() { w.both(`"` + w.of(keys) + `":`); w.value(depth + 1) })
	case kind == 2:
		w.both(w.of(scalars))
	default:
		raw := ""
		for range w.IntN(12) {
			raw += w.of(fragments)
		}
		w.text(raw)
	}
	w.both(w.of(spaces))
}

func (w *writer) list(open, shut string, item func()) {
	w.both(open)
	for i := range w.IntN(5) {
		if i > 0 {
			w.both(",")
		}
		item()
	}
	w.both(shut)
}

// request writes a body whose members come in a random order.
func (w *writer) request(model string) {
	members := []func(){
		func() { w.both(`"model":`); w.text(model) },
		func() { w.both(`"messages":`); w.value(1) },
		func() { w.both(`"max_tokens" : 7`) },
		func() { w.both(`"user":`); w.text("alice@example.com") },
		func() { w.both(`"x":`); w.value(1) },
		func() { w.both(`"x":`); w.value(1) },
	}
	w.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	w.both("{")
	for i, member := range members {
		if i > 0 {
			w.both(",")
		}
		member()
	}
	w.both("}")
}

// Any chunking of any body gives what redacting each of its strings whole gives,
// wherever the model stands, whether the body is held or streamed on.
func TestAnyChunking(t *testing.T) {
	d := document()
	d.Models = append(d.Models, spec.Model{Name: "tagged"})
	tags := spec.Redaction{Name: "tags", Models: []string{"tagged"}}
	for _, e := range d.Redactions[0].Entities {
		tags.Entities = append(tags.Entities, spec.Entity{Kind: e.Kind, Mode: spec.RedactTag})
	}
	d.Redactions = append(d.Redactions, tags)
	streaming := *d
	streaming.Settings.HoldLimit, streaming.Settings.Overflow = 300, spec.OverflowStream
	programs := []*engine.Program{compile(t, d), compile(t, &streaming)}
	rules := map[string]*redact.Rules{
		"gpt-4":  redact.Compile(&d.Redactions[0], spec.DirectionRequest),
		"tagged": redact.Compile(&tags, spec.DirectionRequest), "minilm": nil,
	}
	pool := hold.NewPool(1 << 20)
	s, random := engine.NewStream(pool), rand.New(rand.NewPCG(11, 12))
	for range 1500 {
		for model, r := range rules {
			w := &writer{Rand: random, rules: r}
			w.request(model)
			for i, p := range programs {
				whole := observe(t, pool, s, p, "/v1/chat/completions", "", w.body.Bytes(), w.body.Len)
				tooLate := i == 1 && whole.status == 413 // the model stands behind the hold limit
				if !tooLate && whole.upstream != w.want.String() {
					t.Fatalf("%s\nbecame %s\nwant   %s\n%s", w.body.Bytes(), whole.upstream, w.want.Bytes(), whole.reply)
				}
				for _, most := range []int{1, 5, 90} {
					pieces := observe(t, pool, s, p, "/v1/chat/completions", "", w.body.Bytes(), func() int { return 1 + random.IntN(most) })
					if !reflect.DeepEqual(pieces, whole) {
						t.Fatalf("%s\nin pieces: %+v\nwhole: %+v", w.body.Bytes(), pieces, whole)
					}
				}
			}
		}
	}
}
