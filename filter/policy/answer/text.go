package answer

import (
	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/nested"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// text is what reads one text: values in it are redacted, and then tokens restored, so
// that no rule sees what is the caller's own. Of JSON that stands in a string each string
// in it is one text for the rules, and what is between them goes on as it is.
type text struct {
	redactor redact.Redactor
	restorer redact.Restorer
	coded    bool // it is JSON that stands in a string
	nested   nested.Scanner
}

func (t *text) reset(r *Rewriter) {
	escapes := uint8(1)
	if r.format == Text {
		escapes = 0
	}
	t.restorer.Reset(r.session, (*outlet)(r), escapes)
	t.redactor.Reset(r.rules, r.session, &t.restorer)
	t.coded = false
}

// release forgets what the text was read with.
func (t *text) release() {
	t.restorer.Reset(nil, nil, 0)
	t.redactor.Reset(nil, nil, nil)
}

// start begins a text that is the value of a member; coded says that it is JSON.
func (t *text) start(name []byte, coded bool) {
	if t.coded = coded; coded {
		t.nested.Reset(jsonscan.MaxDepth)
		return
	}
	t.begin(name)
}

//go:noinline
func (t *text) begin(name []byte) {
	t.redactor.Key(name)
	t.redactor.StringStart()
}

// openLine begins a line of a stream that is not known to be JSON.
//
//go:noinline
func (t *text) openLine() {
	t.restorer.Escapes(0)
	t.start(nil, false)
}

// closeLine ends it.
//
//go:noinline
func (t *text) closeLine() {
	t.end()
	t.restorer.Escapes(1)
}

// add takes raw content. Its output has no errors.
func (t *text) add(raw []byte) {
	if t.coded {
		_ = t.nested.Bytes(raw, t)
		return
	}
	_ = t.redactor.Bytes(raw)
}

// goOn writes what is held back in vain: it is called where the next piece may be long
// in coming.
func (t *text) goOn() { t.redactor.Release() }

// end writes what is held back.
func (t *text) end() {
	if t.coded {
		_ = t.nested.End(t)
	} else {
		_ = t.redactor.StringEnd()
	}
	_ = t.restorer.End()
}

// holding says whether something is held back.
func (t *text) holding() bool {
	return t.redactor.Holding() || t.restorer.Holding() || t.coded && t.nested.Holding()
}

// Pass is part of nested.Sink, like the methods below. A name may hold a token.
func (t *text) Pass(raw []byte) error { return t.restorer.Write(raw) }

// StringStart begins a string of the JSON.
func (t *text) StringStart() { t.begin(t.nested.Key()) }

// StringBytes takes its content.
func (t *text) StringBytes(raw []byte) error { return t.redactor.Bytes(raw) }

// StringEnd ends it.
func (t *text) StringEnd() error { return t.redactor.StringEnd() }
