// Package oracle says what redaction has to make of a document, for tests: it reads
// documents in a way of its own, simple and whole.
package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"mime/multipart"
	"strings"

	"github.com/weirmesh/weir/filter/policy/redact"
)

// Oracle says what redaction has to make of a document: of each string what the redactor
// makes of it alone and in one piece, and of all else nothing. It reads documents in a way
// of its own, simple and whole. Rules must be of modes that need no keys and no tokens.
type Oracle struct {
	Rules *redact.Rules
	// Left says whether what stands below a member of this name may be left alone.
	Left func(name string) bool

	redactor redact.Redactor
	session  redact.Session
	out      collected
}

// collected is a buffer as a redactor's output.
type collected struct{ bytes.Buffer }

// Write is part of redact.Output.
func (c *collected) Write(p []byte) error {
	c.Buffer.Write(p)
	return nil
}

// String redacts the raw content of one string under a key, in one piece. The result is
// valid until the next call.
func (o *Oracle) String(key string, raw []byte) []byte {
	o.out.Reset()
	o.redactor.Reset(o.Rules, &o.session, &o.out)
	o.redactor.Key([]byte(key))
	o.redactor.StringStart()
	_ = o.redactor.Bytes(raw) // a buffer takes everything
	_ = o.redactor.StringEnd()
	return o.out.Bytes()
}

// value says whether out is what becomes of a string. Its name is context: that of the
// member that it stands in, the last that was read, or none behind a container.
func (o *Oracle) value(s *span, left bool, out []byte) bool {
	if left && bytes.Equal(s.content, out) {
		return true
	}
	for _, key := range []string{s.key(), s.last, ""} {
		if bytes.Equal(o.String(key, s.content), out) {
			return true
		}
	}
	return false
}

// JSON returns how out differs from what has to become of the JSON text in, "" if it does
// not.
func (o *Oracle) JSON(in, out []byte) string {
	a, b := readJSON(in), readJSON(out)
	if len(a) != len(b) {
		return fmt.Sprintf("%d strings instead of %d", len(b), len(a))
	}
	for i := range a {
		if !bytes.Equal(a[i].before, b[i].before) {
			return fmt.Sprintf("%q became %q", a[i].before, b[i].before)
		}
		left := false
		for _, name := range a[i].path {
			left = left || o.Left(name)
		}
		if !o.value(&a[i], left, b[i].content) && !(left && o.nested(a[i].content, b[i].content)) {
			return fmt.Sprintf("in %q: %q became %q", a[i].path, a[i].content, b[i].content)
		}
	}
	return ""
}

// nested says whether out may be what becomes of JSON in a string: what is JSON stays so.
func (o *Oracle) nested(in, out []byte) bool {
	inner, outer := unquoted(in), unquoted(out)
	return inner != "" && outer != "" && (!json.Valid([]byte(inner)) || json.Valid([]byte(outer)))
}

func unquoted(raw []byte) (s string) {
	if json.Unmarshal([]byte(`"`+string(raw)+`"`), &s) != nil {
		return ""
	}
	return s
}

// span is a string value of a JSON text, and what stands before it.
type span struct {
	before, content []byte
	path            []string // names of the members that it stands in, the innermost last
	last            string   // the last name before it
}

// key is the name of the member that the string is, or in whose list it is.
func (s *span) key() string {
	if len(s.path) == 0 {
		return ""
	}
	return s.path[len(s.path)-1]
}

// readJSON cuts a valid JSON text into its string values. The last span has what is
// behind all of them.
func readJSON(p []byte) (spans []span) {
	var names []string
	var open []int // of each open container: how many names were there before it
	from, last := 0, ""
	for i := 0; i < len(p); i++ {
		switch c := p[i]; c {
		case '{', '[':
			open = append(open, len(names))
		case '}', ']':
			names = names[:open[len(open)-1]]
			open = open[:len(open)-1]
		case '"':
			end := i + 1
			for p[end] != '"' {
				if p[end] == '\\' {
					end++
				}
				end++
			}
			content := p[i+1 : end]
			if next := bytes.TrimLeft(p[end+1:], " \t\r\n"); len(next) > 0 && next[0] == ':' {
				last = unquoted(content)
				names = append(names[:open[len(open)-1]], last)
			} else {
				spans = append(spans, span{p[from : i+1], content, append([]string(nil), names...), last})
				from = end
			}
			i = end
		}
	}
	return append(spans, span{before: p[from:]})
}

// Text returns how out differs from what has to become of a text.
func (o *Oracle) Text(in, out []byte) string {
	if want := o.String("", in); !bytes.Equal(want, out) {
		return fmt.Sprintf("%q became %q, want %q", in, out, want)
	}
	return ""
}

// Form returns how out differs from what has to become of a form.
func (o *Oracle) Form(in, out []byte) string {
	a, b := strings.Split(string(in), "&"), strings.Split(string(out), "&")
	if len(a) != len(b) {
		return fmt.Sprintf("%d fields instead of %d", len(b), len(a))
	}
	for i := range a {
		name, value, _ := strings.Cut(a[i], "=")
		name2, value2, _ := strings.Cut(b[i], "=")
		if want := string(o.String(name, []byte(unescaped(value)))); unescaped(value2) != want {
			return fmt.Sprintf("%q became %q, want %q", a[i], b[i], want)
		}
		if want := string(o.String("", []byte(unescaped(name)))); unescaped(name2) != want {
			return fmt.Sprintf("the name %q became %q, want %q", a[i], b[i], want)
		}
	}
	return ""
}

// unescaped undoes the encoding of a form's value; a percent sign without two digits stands
// for itself.
func unescaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		high, low := -1, -1
		if i+2 < len(s) {
			high, low = strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
		}
		switch {
		case s[i] == '+':
			b.WriteByte(' ')
		case s[i] == '%' && high >= 0 && low >= 0:
			b.WriteByte(byte(digit(high)<<4 | digit(low)))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// hexDigits has those above 15 once more in upper case.
const hexDigits = "0123456789abcdefABCDEF"

func digit(i int) int {
	if i > 15 {
		return i - 6
	}
	return i
}

// Multipart returns how out differs from what has to become of a multipart body; what the
// standard library does not read is not compared.
func (o *Oracle) Multipart(boundary string, in, out []byte) string {
	a, b := multipart.NewReader(bytes.NewReader(in), boundary), multipart.NewReader(bytes.NewReader(out), boundary)
	for {
		p, err := a.NextRawPart()
		if err != nil {
			return ""
		}
		q, err := b.NextRawPart()
		if err != nil {
			return fmt.Sprintf("a part is gone: %v", err)
		}
		var before, after bytes.Buffer
		if _, err := before.ReadFrom(p); err != nil {
			return ""
		}
		if _, err := after.ReadFrom(q); err != nil {
			return err.Error()
		}
		if problem := o.part(p, before.Bytes(), after.Bytes()); problem != "" {
			return problem
		}
	}
}

func (o *Oracle) part(p *multipart.Part, in, out []byte) string {
	if kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); kind == "application/json" || strings.HasSuffix(kind, "+json") {
		if !json.Valid(in) {
			return ""
		}
		return o.JSON(in, out)
	}
	disposition := p.Header.Get("Content-Disposition")
	_, parameters, err := mime.ParseMediaType(disposition)
	names := []string{parameters["name"], ""}
	if err != nil {
		names = append(names, disposition) // a name may be read out of it
	}
	for _, name := range names {
		if bytes.Equal(o.String(name, in), out) {
			return ""
		}
	}
	return fmt.Sprintf("part %q became %q, want %q", in, out, o.String(names[0], in))
}
