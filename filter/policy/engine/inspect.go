package engine

import (
	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/tokens"
)

// errReplied stops a scan after the reply was put together.
const errReplied = stop("replied")

type stop string

func (s stop) Error() string { return string(s) }

// inspector reads a JSON body for what the decision needs, and lets its bytes out
// through the pipe. It is the sink of the scanner.
type inspector struct {
	s       *Stream
	scanner jsonscan.Scanner
	depth   int

	atKey     bool // reading a key of the outermost object
	key       [maxParamBytes]byte
	keyBytes  int
	keyOver   bool
	param     param // whose value comes next or is being read
	seen      uint16
	unescaper jsonscan.Unescaper

	scalar      [maxScalar]byte
	scalarBytes int
	scalarOver  bool

	inScalar bool  // a scalar is being read
	scalars  int32 // how many came before

	model       text
	modelAt     extent // of the model's name in what goes upstream
	user        text
	estimate    tokens.Estimator
	output      int64 // largest output cap, none
	choices     int64 // n
	temperature int64 // thousandths, none
	stream      bool

	options
	caps
	metadata
}

func (in *inspector) reset() {
	in.seen = 0
	in.model.reset()
	in.modelAt = extent{}
	in.user.reset()
	in.estimate = tokens.Estimator{}
	in.estimate.Request()
	in.output, in.choices, in.temperature, in.stream = none, 1, none, false
	in.options, in.caps = options{}, caps{}
	in.metadata = metadata{at: none}
}

// start makes in ready for a body.
func (in *inspector) start(maxDepth int) {
	in.scanner.Reset(maxDepth)
	in.depth, in.atKey, in.param, in.scalarBytes, in.scalarOver = 0, false, paramNone, 0, false
	in.inScalar, in.scalars = false, 0
}

// Structure is part of jsonscan.Sink, like the methods below.
func (in *inspector) Structure(raw []byte) error {
	if in.addition != "" {
		return in.insert(raw)
	}
	in.closed = 0
	if err := in.s.out.Write(raw); err != nil {
		return err
	}
	in.findEnd(raw)
	return nil
}

// Begin counts messages: objects in a list that is a member of the body.
func (in *inspector) Begin(object bool, depth int) error {
	if in.s.out.redacting {
		in.s.out.cover.at.Begin(object, depth)
	}
	if object && depth == 3 {
		in.estimate.Message()
	}
	in.depth = depth
	if object && in.param == paramStreamOptions {
		in.inside, in.param = true, paramNone
	}
	in.beginMetadata(object)
	return in.demand(in.param == paramNone, in.param)
}

// End closes a container.
func (in *inspector) End(depth int) error {
	if in.s.out.redacting {
		in.s.out.cover.at.End(depth)
	}
	in.depth = depth - 1
	in.closed++
	in.complete = depth == 1
	in.within = in.within && depth != 2
	in.askForUsage(depth)
	return nil
}

// KeyStart begins to collect a key of the body itself.
func (in *inspector) KeyStart() error {
	if in.s.out.redacting {
		in.s.out.cover.at.KeyStart()
	}
	in.filledBody = true
	option := in.depth == 2 && in.inside
	in.filled = in.filled || option
	in.atKey = in.depth == 1 || option || in.depth == 2 && in.within
	in.keyBytes, in.keyOver = 0, false
	in.unescaper.Reset()
	return nil
}

// KeyBytes collects; a key may be spelled with escapes.
func (in *inspector) KeyBytes(raw []byte) error {
	if in.atKey && !in.keyOver {
		out, full := in.unescaper.Append(in.key[:in.keyBytes], raw)
		in.keyBytes, in.keyOver = len(out), full
	}
	if in.s.out.redacting {
		in.s.out.cover.at.KeyBytes(raw)
	}
	return in.s.out.Write(raw)
}

// KeyEnd finds the parameter that the key names. A second one is refused, because
// servers differ in which of the two they obey.
func (in *inspector) KeyEnd() error {
	if in.s.out.redacting {
		in.s.out.cover.at.KeyEnd()
	}
	if !in.atKey {
		return nil
	}
	in.atKey = false
	if !in.keyOver {
		out, full := in.unescaper.Finish(in.key[:in.keyBytes])
		in.keyBytes, in.keyOver = len(out), full
	}
	in.param = paramNone
	if in.keyOver {
		return nil
	}
	name := view(in.key[:in.keyBytes])
	switch {
	case in.inside:
		return in.foundOption(name)
	case in.within:
		return in.foundMember(name)
	}
	for p := paramModel; p < paramCount; p++ {
		if name == paramNames[p] {
			return in.found(p)
		}
	}
	return nil
}

func (in *inspector) found(p param) error {
	if p == paramMetadata && len(in.s.program.metadata) == 0 {
		return nil // it is a member like any other
	}
	if in.seen&(1<<p) != 0 {
		in.s.refuse(&duplicate, paramNames[p], "The parameter ", paramNames[p], " stands in the body twice.")
		return errReplied
	}
	in.seen |= 1 << p
	in.param = p
	in.unescaper.Reset()
	return nil
}

// text returns where the string being read is collected, nil if it is not.
func (in *inspector) text() *text {
	switch in.param {
	case paramModel:
		return &in.model
	case paramUser:
		return &in.user
	}
	return nil
}

// StringStart begins a string value.
func (in *inspector) StringStart() error {
	if in.s.out.redacting {
		in.s.out.cover.open()
	}
	if in.param == paramNone {
		in.estimate.StringStart()
		in.beginMember()
		return nil
	}
	if in.param == paramModel {
		in.modelAt.from = in.s.out.written
	}
	return in.demand(in.text() != nil, in.param)
}

// StringBytes estimates its tokens and redacts.
func (in *inspector) StringBytes(raw []byte) error {
	if in.param == paramNone {
		in.estimate.Bytes(raw)
		in.memberBytes(raw)
	} else {
		in.text().unescape(&in.unescaper, raw)
	}
	if in.s.out.redacting {
		return in.s.out.cover.take(raw)
	}
	return in.s.out.Write(raw)
}

// StringEnd ends a string value.
func (in *inspector) StringEnd() error {
	if in.s.out.redacting {
		if err := in.s.out.cover.close(); err != nil {
			return err
		}
	}
	p := in.param
	if p == paramNone {
		in.estimate.StringEnd()
		return in.endMember()
	}
	in.text().finish(&in.unescaper)
	in.param = paramNone
	if p == paramModel {
		in.modelAt.to = in.s.out.written
	}
	if p == paramUser {
		if in.user.over {
			in.s.refuseParameter("user", "is longer than 512 bytes")
			return errReplied
		}
		return nil
	}
	return in.s.foundModel()
}

// Scalar collects a number or literal that is a parameter's value. One that may be
// replaced is not let out before its end.
func (in *inspector) Scalar(raw []byte) error {
	if !in.inScalar {
		in.inScalar = true
		if in.param.isCap() {
			in.foundCap()
		}
	}
	if in.param != paramNone || in.at >= 0 {
		if in.scalarBytes+len(raw) > maxScalar {
			in.scalarOver = true
		} else {
			in.scalarBytes += copy(in.scalar[in.scalarBytes:], raw)
		}
	}
	if in.param == paramIncludeUsage {
		return nil
	}
	return in.s.out.Write(raw)
}

// ScalarEnd takes the value.
func (in *inspector) ScalarEnd() error {
	p, value, over := in.param, in.scalar[:in.scalarBytes], in.scalarOver
	in.param, in.scalarBytes, in.scalarOver = paramNone, 0, false
	in.inScalar = false
	in.scalars++
	if p.isCap() {
		in.sizeCap(len(value))
	}
	if p == paramIncludeUsage {
		return in.takeIncludeUsage(value, over)
	}
	if in.at >= 0 {
		return in.takeMember(value, over)
	}
	if p == paramNone || view(value) == "null" {
		return nil
	}
	return in.demand(!over && in.take(p, value), p)
}
