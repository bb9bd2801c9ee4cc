package usage

// Meter decides how much of a stream of events may pass.
type Meter interface {
	// More says up to how many tokens of text may pass, where these have come: if it
	// is fewer, the stream ends with the event that they came with.
	More(tokens int64) int64
}

// Watch lets a stream of events pass only as long as m allows: first up to bound
// tokens of text. The answer ends before that if it has ended all of its choices.
// It is called after Reset.
func (s *Scanner) Watch(m Meter, bound int64, choices int64) {
	if s.format != Events {
		return
	}
	s.meter, s.bound, s.choices = m, bound, choices
	s.values.marks.watched = true
}

// weigh looks at the end of an event, which is at in the piece, whether more may pass.
func (s *Scanner) weigh(at int) {
	e := &s.events
	if s.meter == nil || s.stopped || !e.over || e.cr {
		return
	}
	text := s.Text()
	if text <= s.bound || s.Ended() {
		return
	}
	if s.bound = s.meter.More(text); s.bound < text {
		s.stopped, s.stopAt, s.passed = true, at, text
		s.values.marks.watched = false // what they say now is what the client knows
	}
}

// Stopped says whether the meter has ended the stream.
func (s *Scanner) Stopped() bool { return s.stopped }

// Passed returns how many tokens the text had that had passed when the meter ended the
// stream.
func (s *Scanner) Passed() int64 { return s.passed }

// Ended says whether the upstream has ended the answer of a stream that is watched.
func (s *Scanner) Ended() bool {
	if s.values.marks.ended {
		return true
	}
	for i := range s.choices {
		if !s.Finished(i) {
			return false
		}
	}
	return true
}

// Finished says whether the upstream has ended a choice.
func (s *Scanner) Finished(choice int64) bool {
	return choice < maxChoices && s.values.marks.finished[choice/64]>>(choice%64)&1 != 0
}

// ID returns the raw content of the JSON string that names the answer, nil if it is
// not known.
func (s *Scanner) ID() []byte { return s.values.marks.id.bytes() }

// Model returns the raw content of the JSON string that names the model, nil if it is
// not known.
func (s *Scanner) Model() []byte { return s.values.marks.model.bytes() }

// Created returns when the answer was begun in Unix seconds, 0 if that is not known.
func (s *Scanner) Created() int64 { return s.values.marks.created }

// Sequence returns the largest sequence_number of an event of the Responses API.
func (s *Scanner) Sequence() int64 { return s.values.marks.sequence }

// Block returns the index of the content block of Anthropic's that is open, -1 if
// none is.
func (s *Scanner) Block() int64 { return s.values.marks.block }
