package usage

// markBytes bounds what is remembered of an identifier or a model's name.
const markBytes = 160

// mark is the raw content of a JSON string.
type mark struct {
	n    uint8
	over bool // it was longer, and is not known
	data [markBytes]byte
}

func (m *mark) add(raw []byte) {
	if m.over = m.over || int(m.n)+len(raw) > markBytes; !m.over {
		m.n += uint8(copy(m.data[m.n:], raw))
	}
}

func (m *mark) bytes() []byte {
	if m.over {
		return nil
	}
	return m.data[:m.n]
}

// maxChoices bounds the choices whose ends are known, as OpenAI's servers do.
const maxChoices = 128

// marks are what a last chunk has to repeat of the chunks before it.
type marks struct {
	watched  bool
	id       mark
	model    mark
	created  int64
	sequence int64 // the largest sequence_number
	block    int64 // index of Anthropic's content block that is open, none
	finished [maxChoices / 64]uint64
	ended    bool // the event came that ends an answer of Responses or Anthropic's

	// Of the event that is being read.
	open  *mark // string that is being read, nil if it does not matter
	kind  mark
	index int64 // of the choice or block
	done  bool  // the choice has a finish_reason
}

// none is no index.
const none = -1

func (m *marks) reset() {
	m.watched, m.open = false, nil
	m.id.n, m.id.over, m.model.n, m.model.over = 0, false, 0, false
	m.created, m.sequence, m.block, m.finished, m.ended = 0, 0, none, [2]uint64{}, false
	m.event()
}

// event begins an event.
func (m *marks) event() {
	m.open, m.kind.n, m.kind.over, m.index, m.done = nil, 0, false, 0, false
}

// begin begins a string; one that is known is left alone.
func (m *marks) begin(to *mark) {
	m.open = nil
	if to != nil && to.n == 0 {
		m.open = to
	}
}

// choice begins a choice.
func (m *marks) choice() { m.index, m.done = 0, false }

// finish ends a choice that has a finish_reason.
func (m *marks) finish() {
	if m.watched && m.index < maxChoices {
		m.finished[m.index/64] |= 1 << (m.index % 64)
	}
}

// number takes a number that is no usage.
func (m *marks) number(is member, value int64) {
	switch is {
	case index:
		m.index = value
	case created:
		m.created = value
	case sequence:
		m.sequence = max(m.sequence, value)
	}
}

// close ends an event.
func (m *marks) close() {
	kind := m.kind.bytes()
	switch {
	case is(kind, "content_block_start"):
		m.block = m.index
	case is(kind, "content_block_stop"):
		m.block = none
	case is(kind, "message_delta"), is(kind, "message_stop"), is(kind, "error"),
		is(kind, "response.completed"), is(kind, "response.incomplete"), is(kind, "response.failed"):
		m.ended = true
	}
	m.event()
}

func is(b []byte, s string) bool { return len(b) == len(s) && equal(b, s) }

// isChoice says whether the innermost container is a choice.
func (r *reader) isChoice() bool { return r.depth == 3 && r.path[1] == choiceList }

// atHead says whether the member that is being read describes the answer: one of the
// event, or of the response or message in it.
func (r *reader) atHead() bool {
	return r.depth == 1 || r.depth == 2 && (r.path[1] == response || r.path[1] == message)
}

// isMark says whether the scalar that begins is a number that a last chunk repeats.
func (r *reader) isMark() bool {
	switch r.here() {
	case index:
		return r.depth == 1 || r.isChoice()
	case created:
		return r.atHead()
	case sequence:
		return r.depth == 1
	}
	return false
}

// mark returns where the string that begins is remembered, nil if it is not.
func (r *reader) mark() *mark {
	m := &r.marks
	switch r.here() {
	case identifier:
		if r.atHead() {
			return &m.id
		}
	case modelName:
		if r.atHead() {
			return &m.model
		}
	case kind:
		if r.depth == 1 {
			return &m.kind
		}
	case finishReason:
		m.done = m.done || r.isChoice()
	}
	return nil
}
