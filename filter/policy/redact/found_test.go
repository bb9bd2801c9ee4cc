package redact

import (
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// keep collects the output.
type keep struct{ b []byte }

func (k *keep) Write(p []byte) error { k.b = append(k.b, p...); return nil }

// found lists what is found in a text with all kinds on, as "kind:value", in order. A
// value that goes on behind the window is cut off there.
func found(t *testing.T, text string) []string {
	t.Helper()
	redaction := &spec.Redaction{}
	for k := range spec.EntityKinds {
		redaction.Entities = append(redaction.Entities, spec.Entity{Kind: spec.EntityKind(k), Mode: spec.RedactTag})
	}
	var r Redactor
	out := &keep{}
	r.Reset(Compile(redaction, spec.DirectionRequest), &Session{}, out)
	if err := r.Bytes([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := r.StringEnd(); err != nil {
		t.Fatal(err)
	}
	return between(text, string(out.b))
}

// between compares a text with what became of it and lists what the tags stand for.
func between(text, tagged string) (all []string) {
	for {
		at, kind := len(tagged), ""
		for k, tag := range tags {
			if i := strings.Index(tagged, tag); i >= 0 && i < at {
				at, kind = i, tags[k]
			}
		}
		if kind == "" {
			return all
		}
		text, tagged = text[at:], tagged[at+len(kind):]
		next := len(tagged)
		for _, tag := range tags {
			if i := strings.Index(tagged, tag); i >= 0 {
				next = min(next, i)
			}
		}
		end := strings.Index(text, tagged[:next])
		if next == len(tagged) {
			end = len(text) - next
		}
		name := strings.ToLower(strings.Trim(kind, "<>"))
		all = append(all, name+":"+text[:end])
		text = text[end:]
	}
}

func TestFoundLists(t *testing.T) {
	got := strings.Join(found(t, "a 13812345678, bob@example.com; 4111 1111 1111 1111."), "|")
	if want := "phone:13812345678|email:bob@example.com|bank_card:4111 1111 1111 1111"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// No match begins with a letter behind a letter or a digit: units like that are passed
// over.
func TestNoneBeginsInside(t *testing.T) {
	for _, d := range detectors {
		if (d.where == afterNonDigit || d.where == anywhere || d.where == afterPlus) && strings.ContainsAny(d.begins, uppers+lowers) {
			t.Errorf("matches of %v may begin within a word", d.kind)
		}
	}
}
