package usage

import "github.com/weirmesh/weir/filter/policy/tokens"

// maxPath is how deep the places are known that matter.
const maxPath = 12

// maxName is longer than every name that matters.
const maxName = 32

// What an event's list of choices is.
type choices uint8

const (
	choicesUnknown choices = iota
	choicesEmpty
	choicesSome // or no list
)

// What an event's member usage is.
type report uint8

const (
	reportUnknown report = iota
	reportObject
	reportNone // null, or no object
)

// reader is the sink of the JSON scanner: it finds the numbers and the text. The
// estimate and the numbers are those of the whole answer, the rest that of one
// JSON value.
type reader struct {
	streamed bool // the values are events
	estimate tokens.Estimator
	input    int64 // prompt, with what OpenAI calls cached in it
	output   int64
	total    int64
	cached   int64 // a part of input
	read     int64 // from Anthropic's cache, beside input
	created  int64 // into Anthropic's cache, beside input
	has      uint32

	depth    int
	path     [maxPath]member // by depth: the member that is being read
	delta    int             // depth of the object with what an event adds, 0 outside
	numbers  int             // depth of the object with the numbers, 0 outside
	final    bool            // the numbers are no provisional ones
	counting bool            // the string being read is text of the answer
	choices  choices
	report   report

	marks marks

	name  [maxName]byte
	named int
	value int64
	digit state
}

// state is how the reading of a number goes.
type state uint8

const (
	noNumber state = iota
	inNumber
	badNumber
)

func (r *reader) reset(streamed bool) {
	r.streamed, r.estimate = streamed, tokens.Estimator{}
	r.input, r.output, r.total, r.cached, r.read, r.created, r.has = 0, 0, 0, 0, 0, 0, 0
	r.marks.reset()
}

// begin makes r ready for a JSON value.
func (r *reader) begin() {
	if r.counting { // the value before broke off
		r.estimate.StringEnd()
	}
	r.depth, r.delta, r.numbers, r.counting = 0, 0, 0, false
	r.choices, r.report, r.digit = choicesUnknown, reportUnknown, noNumber
	r.path[0] = other
}

// usage puts together what was said.
func (r *reader) usage() Usage {
	u := Usage{Input: r.input + r.read + r.created, Cached: r.cached + r.read, Output: r.output}
	u.HasInput = r.has&(1<<inputTokens|1<<cacheRead|1<<cacheCreated) != 0
	u.HasOutput = r.has&(1<<outputTokens) != 0
	if !u.HasOutput && u.HasInput && r.has&(1<<totalTokens) != 0 {
		u.Output, u.HasOutput = max(r.total-u.Input, 0), true
	}
	u.Cached = min(u.Cached, u.Input)
	return u
}

// here returns the member that is being read in the innermost container.
func (r *reader) here() member {
	if r.depth >= maxPath {
		return other
	}
	return r.path[r.depth]
}

// Structure is part of jsonscan.Sink, like the methods below.
func (r *reader) Structure([]byte) error { return nil }

// Begin goes into a container. The items of a list belong to the list's member.
func (r *reader) Begin(object bool, depth int) error {
	r.note(object, !object)
	of := r.here()
	r.depth = depth
	if depth >= maxPath {
		return nil
	}
	r.path[depth] = of
	if !object {
		return nil
	}
	r.path[depth] = other
	if r.isChoice() {
		r.marks.choice()
	}
	switch {
	case of == delta && r.delta == 0:
		r.delta = depth
	case r.numbers == 0:
		r.findNumbers(of, depth)
	}
	return nil
}

// findNumbers looks whether the object that begins is one with numbers of usage:
// a member of the value, of the Responses API's response or of Anthropic's
// message, whose output is provisional. On the Open Inference Protocol they may
// stand in the parameters.
func (r *reader) findNumbers(of member, depth int) {
	switch {
	case depth == 2 && (of == usage || of == parameters), depth == 3 && of == usage && r.path[1] == response:
		r.numbers, r.final = depth, true
	case depth == 3 && of == usage && r.path[1] == message:
		r.numbers, r.final = depth, false
	}
}

// End leaves a container.
func (r *reader) End(depth int) error {
	if depth == r.delta {
		r.delta = 0
	}
	if depth == r.numbers {
		r.numbers = 0
	}
	if r.isChoice() && r.marks.done {
		r.marks.finish()
	}
	r.depth = depth - 1
	if depth == 2 && r.path[1] == choiceList && r.choices == choicesUnknown {
		r.choices = choicesEmpty
	}
	return nil
}

// note looks at the value that begins, for what decides about its event. Of members
// that stand there twice the first counts, as an event in pieces is judged by it.
func (r *reader) note(object, list bool) {
	if !r.streamed || r.depth == 0 || r.depth > 2 || r.depth == 2 && r.path[1] != choiceList {
		return
	}
	switch {
	case r.path[1] == choiceList && (r.depth == 2 || !list) && r.choices == choicesUnknown:
		r.choices = choicesSome
	case r.path[1] == usage && r.report == reportUnknown:
		r.report = reportNone
		if object {
			r.report = reportObject
		}
	}
}

// KeyStart begins a member's name.
func (r *reader) KeyStart() error {
	r.named = 0
	return nil
}

// KeyBytes collects the name. One that is spelled with escapes is not known.
func (r *reader) KeyBytes(raw []byte) error {
	if r.named+len(raw) > maxName {
		r.named = maxName
		r.name[0] = 0
	} else {
		r.named += copy(r.name[r.named:], raw)
	}
	return nil
}

// KeyEnd goes to the member.
func (r *reader) KeyEnd() error {
	if r.depth < maxPath {
		r.path[r.depth] = memberOf(r.name[:r.named])
	}
	return nil
}

// StringStart begins a string value.
func (r *reader) StringStart() error {
	r.note(false, false)
	r.counting = r.isText()
	if r.counting {
		r.estimate.StringStart()
	}
	if r.marks.watched {
		r.marks.begin(r.mark())
	}
	return nil
}

// isText says whether the string that begins is text of the answer. Of events only
// what they add counts: most also repeat what came before.
func (r *reader) isText() bool {
	m := r.here()
	switch {
	case m < text:
		return false
	case !r.streamed:
		return m != delta
	}
	return r.delta > 0 || m == delta && r.depth == 1 || m == textOutput || m == text && r.path[1] == choiceList
}

// StringBytes counts text.
func (r *reader) StringBytes(raw []byte) error {
	if r.counting {
		r.estimate.Bytes(raw)
	}
	if r.marks.open != nil {
		r.marks.open.add(raw)
	}
	return nil
}

// StringEnd ends a string value.
func (r *reader) StringEnd() error {
	if r.counting {
		r.estimate.StringEnd()
		r.counting = false
	}
	r.marks.open = nil
	return nil
}

// Scalar reads a number of usage.
func (r *reader) Scalar(raw []byte) error {
	if r.digit == noNumber {
		r.note(false, false)
		r.value, r.digit = 0, badNumber
		if r.isNumber() || r.marks.watched && r.isMark() {
			r.digit = inNumber
		}
	}
	if r.digit != inNumber {
		return nil
	}
	for _, c := range raw {
		if c-'0' > 9 {
			r.digit = badNumber
			return nil
		}
		r.value = min(r.value*10+int64(c-'0'), most)
	}
	return nil
}

// isNumber says whether the scalar that begins is a number of usage.
func (r *reader) isNumber() bool {
	m := r.here()
	if r.numbers == 0 || m == other || m >= counts {
		return false
	}
	return r.depth == r.numbers || r.depth == r.numbers+1 && r.path[r.numbers] == details && m == cachedTokens
}

// ScalarEnd takes the number. Reports grow while an answer goes on, so of several
// the largest counts.
func (r *reader) ScalarEnd() error {
	whole := r.digit == inNumber
	r.digit = noNumber
	m := r.here()
	switch {
	case whole && m >= counts:
		r.marks.number(m, r.value)
	case whole && (r.final || m != outputTokens):
		r.take(m, r.value)
	}
	return nil
}

// take takes a number of usage.
func (r *reader) take(m member, value int64) {
	switch m {
	case inputTokens:
		r.input = max(r.input, value)
	case cachedTokens:
		r.cached = max(r.cached, value)
	case cacheRead:
		r.read = max(r.read, value)
	case cacheCreated:
		r.created = max(r.created, value)
	case outputTokens:
		r.output = max(r.output, value)
	case totalTokens:
		r.total = max(r.total, value)
	}
	r.has |= 1 << m
}
