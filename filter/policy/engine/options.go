package engine

// options is what the inspector knows of stream_options, by which a client of the
// OpenAI API asks for the usage at the end of a stream, and how the gateway asks
// for it in its place.
type options struct {
	inside bool // in the object of stream_options
	filled bool // it has members
	asked  bool // include_usage stands there
	added  bool // the gateway asks, and the client does not

	// What is to be written before the bracket that is the closed-th among those
	// that closed a container since the last span of structure.
	addition string
	closed   int
	before   int
}

// What is added to a body.
const (
	addOptions   = `,"stream_options":{"include_usage":true}`
	addUsage     = `"include_usage":true`
	addMoreUsage = `,` + addUsage
	includeUsage = "include_usage"
	valueTrue    = "true"
	valueFalse   = "false"
	valueNull    = "null"
)

// needsUsage says whether the usage at the end of a stream would settle a
// reservation. While the model is not known, it may.
func (s *Stream) needsUsage() bool {
	if !s.route.reports {
		return false
	}
	if s.model < 0 {
		return s.program.metered
	}
	return s.metered()
}

// askForUsage adds what asks for the usage when the container of this depth closes
// in which it may stand. A stream_options of null is left alone.
//
//go:noinline
func (in *inspector) askForUsage(depth int) {
	switch {
	case depth == 2 && in.inside:
		in.inside = false
		if !in.asked && in.s.needsUsage() {
			in.addition = addUsage
			if in.filled {
				in.addition = addMoreUsage
			}
		}
	case depth == 1 && in.stream && in.seen&(1<<paramStreamOptions) == 0 && in.s.model >= 0 && in.s.needsUsage():
		in.addition = addOptions
	default:
		return
	}
	if in.addition != "" {
		in.added, in.before = true, in.closed
	}
}

// insert lets a span of structure out with the addition in it.
//
//go:noinline
func (in *inspector) insert(raw []byte) error {
	at, brackets := 0, 0
	for ; at < len(raw); at++ {
		if raw[at] == '}' || raw[at] == ']' {
			if brackets++; brackets == in.before {
				break
			}
		}
	}
	out, addition := &in.s.out, in.addition
	in.addition, in.closed = "", 0
	in.scalars++ // the one in the addition
	if err := out.Write(raw[:at]); err != nil {
		return err
	}
	if err := out.insert(bytesOf(addition)); err != nil {
		return err
	}
	if err := out.Write(raw[at:]); err != nil {
		return err
	}
	in.findEnd(raw)
	return nil
}

// foundOption takes a member's name in stream_options.
func (in *inspector) foundOption(name string) error {
	if name != includeUsage {
		return nil
	}
	if in.asked {
		in.s.refuse(&duplicate, paramNames[paramIncludeUsage], "The parameter ", paramNames[paramIncludeUsage], " stands in the body twice.")
		return errReplied
	}
	in.asked, in.param = true, paramIncludeUsage
	return nil
}

// takeIncludeUsage lets the value of include_usage out: true where it is needed.
func (in *inspector) takeIncludeUsage(value []byte, over bool) error {
	switch text := view(value); {
	case !over && text == valueTrue:
	case !over && (text == valueFalse || text == valueNull):
		if in.s.needsUsage() {
			in.added = true
			return in.s.out.insert(bytesOf(valueTrue))
		}
	default:
		return in.demand(false, paramIncludeUsage)
	}
	return in.s.out.Write(value)
}
