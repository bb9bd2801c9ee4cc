package engine

import (
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// formBody redacts the names and values of a form (application/x-www-form-urlencoded,
// WHATWG URL standard section 5): decoded, and encoded again. A form without a match stays
// as it is. Names count because what is no form, but was sent as one, is all name.
type formBody struct {
	redactor *redact.Redactor
	out      *hold.Buffer
	text     *utf8Check
	invalid  bool  // something is not UTF-8
	value    bool  // a value is being read, not a name
	digits   uint8 // of %XX that were read, behind the percent sign
	percent  bool
	high     byte // the first digit
	name     *text
	decoded  [64]byte
	n        int
	encoded  [3 * 64]byte
}

// read reads a piece of the form once more.
func (f *formBody) read(p []byte) error {
	for i, c := range p {
		var err error
		if c == '&' || c == '=' && !f.value {
			if err = f.finish(); err == nil {
				err = f.out.Append(p[i : i+1])
			}
			f.begin(c == '=')
		} else {
			if !f.value {
				f.name.append(p[i : i+1])
			}
			err = f.decode(c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin begins the value of the name that was read, or the next name.
//
//go:noinline
func (f *formBody) begin(value bool) {
	if f.value = value; !value {
		f.name.reset()
	}
	f.redactor.Key(f.name.bytes())
	f.redactor.StringStart()
}

// decode takes a byte of a name or value.
//
//go:noinline
func (f *formBody) decode(c byte) error {
	if f.percent {
		v, ok := hexValue(c)
		switch {
		case ok && f.digits == 0:
			f.high, f.digits = c, 1
			return nil
		case ok:
			high, _ := hexValue(f.high)
			f.percent = false
			return f.put(high<<4 | v)
		}
		if err := f.literal(); err != nil {
			return err
		}
	}
	switch c {
	case '%':
		f.percent, f.digits = true, 0
		return nil
	case '+':
		c = ' '
	}
	return f.put(c)
}

// literal takes a percent sign that stands for itself, and what was read behind it.
func (f *formBody) literal() error {
	f.percent = false
	err := f.put('%')
	if err == nil && f.digits == 1 {
		err = f.put(f.high)
	}
	return err
}

// put collects a decoded byte.
func (f *formBody) put(c byte) error {
	f.decoded[f.n] = c
	f.n++
	if f.n < len(f.decoded) {
		return nil
	}
	return f.pass()
}

// pass hands what was collected to the redactor.
func (f *formBody) pass() error {
	p := f.decoded[:f.n]
	f.n = 0
	f.invalid = !f.text.take(p) || f.invalid
	return f.redactor.Bytes(p)
}

// finish ends the name or value.
//
//go:noinline
func (f *formBody) finish() error {
	var err error
	if f.percent {
		err = f.literal()
	}
	if err == nil {
		err = f.pass()
	}
	f.invalid = !f.text.end() || f.invalid
	if err == nil {
		err = f.redactor.StringEnd()
	}
	return err
}

// Write encodes what the redactor lets out.
func (f *formBody) Write(p []byte) error {
	for len(p) > 0 {
		q := p[:min(len(p), len(f.decoded))]
		p = p[len(q):]
		e := f.encoded[:0]
		for _, c := range q {
			switch {
			case isDigit(c), c|0x20-'a' < 26, c == '*', c == '-', c == '.', c == '_':
				e = append(e, c)
			case c == ' ':
				e = append(e, '+')
			default:
				const hex = "0123456789ABCDEF"
				e = append(e, '%', hex[c>>4], hex[c&15])
			}
		}
		if err := f.out.Append(e); err != nil {
			return err
		}
	}
	return nil
}

// rewritesForm says whether the request's form is to be redacted, for which it has to be
// held whole.
func (s *Stream) rewritesForm() bool { return s.plain.on && s.facts.mediaType == mediaForm }

// redactForm redacts a form that is held whole.
func (s *Stream) redactForm() bool {
	if !s.rewritesForm() {
		return true
	}
	p, f := &s.out, &s.plain.form
	f.redactor, f.out, f.text, f.name = &p.redactor, &p.raw, &s.plain.text, &s.plain.name
	f.invalid, f.percent, f.n = false, false, 0
	p.redactor.Reset(s.modelRules().values, &p.session, f)
	p.redactor.Escapes(0)
	f.begin(false)
	err := p.reread(f)
	if err == nil {
		err = f.finish()
	}
	if err == nil && f.invalid {
		err = s.plain.unreadable(errNotUTF8)
	}
	p.replaced(err == nil && p.redactor.Edited())
	return err == nil || s.refuseBody(err)
}
