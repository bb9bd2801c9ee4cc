package answer

import "github.com/weirmesh/weir/filter/policy/redact"

// text is what reads one text: values in it are redacted, and then tokens restored, so
// that no rule sees what is the caller's own.
type text struct {
	redactor redact.Redactor
	restorer redact.Restorer
}

func (t *text) reset(r *Rewriter) {
	t.restorer.Reset(r.session, (*outlet)(r))
	t.redactor.Reset(r.rules, r.session, &t.restorer)
}

// release forgets what the text was read with.
func (t *text) release() {
	t.restorer.Reset(nil, nil)
	t.redactor.Reset(nil, nil, nil)
}

// start begins a text that is the value of a member.
func (t *text) start(name []byte) {
	t.redactor.Key(name)
	t.redactor.StringStart()
}

// add takes raw content. Its output has no errors.
func (t *text) add(raw []byte) { _ = t.redactor.Bytes(raw) }

// end writes what is held back.
func (t *text) end() {
	_ = t.redactor.StringEnd()
	_ = t.restorer.End()
}

// holding says whether something is held back.
func (t *text) holding() bool { return t.redactor.Holding() || t.restorer.Holding() }
