package engine

import (
	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/multipart"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// plainBody redacts a body that is text, or has parts that are. It is the sink of the
// scanner of parts.
type plainBody struct {
	s     *Stream
	on    bool
	text  utf8Check
	parts multipart.Scanner
	part  partKind
	name  text // of the part
	form  formBody
}

// partKind is how a part is read.
type partKind uint8

const (
	partText  partKind = iota
	partJSON           // a JSON text
	partOther          // nobody knows
	partFile           // likewise, and it has a file's name
)

// mediaError is why a body cannot be read as what its content-type says.
type mediaError uint8

const (
	errNotUTF8 mediaError = iota
	errPartJSON
	errPartFile
	errPart
)

var mediaProblems = [...]string{
	"it is not UTF-8", "a part is not valid JSON", "it holds a file", "it holds a part that is neither text nor JSON",
}

// Error says the reason as a part of a sentence about the body.
func (e mediaError) Error() string { return mediaProblems[e] }

// jsonPart is an error of reading a part.
func jsonPart(err error) error {
	if _, malformed := err.(jsonscan.Error); malformed {
		return errPartJSON
	}
	return err
}

// readsPlain says whether a body that is not JSON can be redacted.
func (f *headerFacts) readsPlain() bool {
	return !f.encoded && !f.binary && f.mediaType >= mediaText
}

// start makes b ready for a body that is redacted by these rules.
func (b *plainBody) start(rules *bodyRules) {
	out := &b.s.out
	b.on, b.text.n = true, 0
	out.redact(rules)
	if b.s.facts.mediaType == mediaText {
		out.redactor.Escapes(0)
		out.redactor.StringStart()
	}
	b.openPart()
}

// read takes a piece of the body in; end says that it is the last.
func (b *plainBody) read(p []byte, end bool) error {
	var err error
	switch b.s.facts.mediaType {
	case mediaText:
		err = b.takeText(p)
		if err == nil && end {
			err = b.endText()
		}
	case mediaParts:
		err = b.parts.Scan(p, b)
		if err == nil && end {
			err = b.parts.Close()
		}
	default: // a form is redacted when it is whole
		err = b.s.out.Write(p)
	}
	return err
}

// takeText redacts text.
func (b *plainBody) takeText(p []byte) error {
	if !b.text.take(p) {
		if err := b.unreadable(errNotUTF8); err != nil {
			return err
		}
	}
	return b.s.out.redactor.Bytes(p)
}

func (b *plainBody) endText() error {
	if !b.text.end() {
		if err := b.unreadable(errNotUTF8); err != nil {
			return err
		}
	}
	return b.s.out.redactor.StringEnd()
}

// unreadable is asked what to do about something that cannot be redacted: it returns the
// reason, or nothing where the policy lets that through.
//
//go:noinline
func (b *plainBody) unreadable(why mediaError) error {
	if b.s.redaction().OnFailure == spec.FailClosed {
		return why
	}
	b.s.unscanned = true
	return nil
}

// openPart makes b ready for the headers of a part.
func (b *plainBody) openPart() {
	b.part = partText
	b.name.reset()
}

// Pass is part of multipart.Sink, like the methods below.
func (b *plainBody) Pass(raw []byte) error { return b.s.out.Write(raw) }

// Header finds out how the part is to be read.
func (b *plainBody) Header(line []byte) error {
	colon := 0
	for colon < len(line) && line[colon] != ':' {
		colon++
	}
	if colon == len(line) {
		return multipart.ErrHeader
	}
	value := view(line[colon+1:])
	for value != "" && (value[0] == ' ' || value[0] == '\t') {
		value = value[1:]
	}
	kind := partText
	switch name := view(line[:colon]); {
	case equalFold(name, "content-type"):
		switch parseMediaType(value) {
		case mediaText, mediaAbsent:
		case mediaJSON:
			kind = partJSON
		default:
			kind = partOther
		}
	case equalFold(name, "content-disposition"):
		b.name.set(bytesOf(mediaParameter(value, "name")))
		if mediaParameter(value, "filename") != "" || mediaParameter(value, "filename*") != "" {
			kind = partFile
		}
	case equalFold(name, "content-transfer-encoding"):
		if !equalFold(value, "7bit") && !equalFold(value, "8bit") && !equalFold(value, "binary") {
			kind = partOther
		}
	}
	b.part = max(b.part, kind)
	return nil
}

// Start begins the content.
func (b *plainBody) Start() error {
	out := &b.s.out
	switch b.part {
	case partText:
		out.redactor.Escapes(0)
		out.redactor.Key(b.name.bytes())
		out.redactor.StringStart()
	case partJSON:
		rules := b.s.modelRules()
		out.cover.reset(rules)
		out.replay.scanner.Reset(rules.maxDepth)
		out.replay.scalars, out.replay.inScalar = 0, false
	case partFile:
		return b.unreadable(errPartFile)
	default:
		return b.unreadable(errPart)
	}
	return nil
}

// Content redacts it.
func (b *plainBody) Content(raw []byte) error {
	switch b.part {
	case partText:
		return b.takeText(raw)
	case partJSON:
		return jsonPart(b.s.out.replay.scanner.Scan(raw, &b.s.out.replay))
	}
	return b.s.out.Write(raw)
}

// End ends it.
func (b *plainBody) End() error {
	kind := b.part
	b.openPart()
	switch kind {
	case partText:
		return b.endText()
	case partJSON:
		return jsonPart(b.s.out.replay.scanner.Close(&b.s.out.replay))
	}
	return nil
}
