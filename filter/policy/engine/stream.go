package engine

import (
	"github.com/weirmesh/weir/filter/policy/answer"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/oip"
	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/filter/policy/tree"
)

// phase is how far a stream has come.
type phase uint8

const (
	phaseHeaders phase = iota // headers are still to come
	phaseHold                 // the body is held until it ends
	phaseStream               // the body was too long to hold: headers went on, the body follows
	phaseDone                 // everything is decided and the body has ended
	phasePass                 // decided at the headers; the body passes as it is
	phaseReplied
)

// Stream is the state of one request: a few kilobytes of fixed memory, used for
// one request after the other. It keeps no pointer into the bytes it is given.
type Stream struct {
	program *Program
	host    Host
	phase   phase

	// What the headers said.
	facts         headerFacts
	route         route
	pathModel     text
	pathVersion   text
	trustedModel  text
	tenant        text
	user          text
	versionValues [spec.MaxVersionHeaders]int32
	known         attributes // that trees look at
	keys          keyValues

	// What the body said.
	body      bodyKind
	received  int64
	in        inspector
	rpc       rpc
	rpcBody   rpcBody
	rpcAnswer rpcAnswer
	plain     plainBody
	out       pipe

	// What was decided.
	model     int // index, none: not known yet
	early     bool
	version   int // index of the forced version, none
	taken     int // index of the version that the response names, none
	versionBy versionSource
	bucket    int // none: not computed
	leaf      int // of the tree, none: it was not asked
	path      tree.Path
	made      bool     // there is a stand-in for a user
	stranger  [16]byte // which
	unscanned bool
	charges   charges

	got        answerState
	rewriter   answer.Rewriter
	desk       *answer.Desk
	ending     ending
	settlement Settlement

	edits    edits
	response edits
	reply    ReplyMessage
	replied  bool
	refused  refused
	scratch  arena // what edits and the reply point to
}

// NewStream returns a stream that holds its body in pool.
func NewStream(pool *hold.Pool) *Stream {
	s := &Stream{}
	s.out.bind(pool)
	s.rewriter.Bind(pool)
	s.in.s = s
	s.out.replay.caps = &s.in.caps
	s.rpc.s, s.plain.s = s, s
	return s
}

// Reset makes s ready for the next request. What the last one held is given back.
func (s *Stream) Reset(p *Program, h Host) {
	s.program, s.host, s.phase = p, h, phaseHeaders
	s.facts.plainFacts = plainFacts{length: none}
	s.facts.id.n, s.facts.rpcID.n = 0, 0
	s.route = route{}
	s.pathModel.reset()
	s.pathVersion.reset()
	s.trustedModel.reset()
	s.tenant.reset()
	s.user.reset()
	for i := range p.headers {
		s.versionValues[i] = headerAbsent
	}
	s.known.reset(len(p.doc.Attributes))
	s.leaf, s.made = none, false
	s.path.Reset()
	s.keys.known = 0
	s.received = 0
	s.plain.on = false
	s.in.reset()
	s.out.reset(p.doc.Settings.HoldLimit)
	s.out.session.Reset(h.Keys(), p.Evidence() != spec.EvidenceNone)
	s.model, s.early, s.version, s.versionBy, s.bucket, s.unscanned = none, false, none, versionByRoute, none, false
	s.charges.count, s.charges.asked = 0, none
	s.taken = none
	s.got.reset()
	s.ending = ending{}
	s.settlement = Settlement{}
	s.forget()
	s.replied = false
	s.scratch.n = 0
}

// Release gives everything that is held back to the pool, and forgets the program:
// a stream that waits for its next request must not keep an old one in memory. Only
// Reset may follow.
func (s *Stream) Release() {
	s.out.release()
	s.rewriter.Release()
	s.out.session.Release()
	s.forget()
	s.program = nil
}

// forget drops what points into the program.
func (s *Stream) forget() {
	s.edits.reset()
	s.response.reset()
	s.reply, s.refused = ReplyMessage{}, refused{}
	s.got.scanner.Price(nil)
}

// Edits returns the changes to the request's headers. They are complete when the
// stream first says Forward.
func (s *Stream) Edits() []Edit { return s.edits.all() }

// ResponseEdits returns the changes to the response's headers: x-ratelimit-* for
// the response to an admitted request that a limit counted, and what follows from
// its own headers. They are complete after ResponseHeaders.
func (s *Stream) ResponseEdits() []Edit { return s.response.all() }

// Held returns the bytes that are to go upstream. The caller writes them out after
// Forward and then releases the buffer; until it does, later calls append.
func (s *Stream) Held() *hold.Buffer { return &s.out.held }

// Rewritten says whether the bytes given to Body since the last Forward must be
// replaced by those in Held. If not, they go on as they are, and Held is empty.
func (s *Stream) Rewritten() bool { return s.out.taken }

// Length returns the request's content-length, -1 without one.
func (s *Stream) Length() int64 { return s.facts.length }

// Reply returns the local answer after the action Reply.
func (s *Stream) Reply() *ReplyMessage { return &s.reply }

// Counts returns how many values were redacted, by entity kind.
func (s *Stream) Counts() Counts { return s.out.counts() }

// Headers decides what can be decided without the body. It is called after the
// last Header; end says that there is no body.
func (s *Stream) Headers(end bool) Action {
	if s.replied {
		return s.done()
	}
	s.route = s.classify()
	if !s.answerable() || !s.trustPeer() || !s.findEarlyModel() {
		return s.done()
	}
	s.body = s.facts.bodyKind()
	if end || s.facts.length == 0 {
		s.body = bodyNone
		if !end && s.edits.has(HeaderCoded) {
			s.refuse(&badEncoding, "", "The body cannot be read in its content-encoding.")
			return s.done()
		}
		if s.isRPC() {
			s.rpc.scanner.Reset(s.route.message)
			s.refuseMessage(oip.ErrMissing)
			return s.done()
		}
		return s.finish(false)
	}
	if !s.readable() {
		return s.done()
	}
	if s.body == bodyOpaque && !s.plain.on && (s.facts.length > 0 || !s.limited()) {
		s.received = max(s.facts.length, 0)
		if !s.decide() || !s.charge() {
			return s.done()
		}
		s.phase = phasePass
		return Forward
	}
	if !s.fits(s.facts.length) {
		return s.done()
	}
	s.phase = phaseHold
	switch s.body {
	case bodyJSON:
		s.in.start(s.program.doc.Settings.MaxDepth)
		s.out.redact(s.rulesKnown())
	case bodyGRPC:
		s.rpc.scanner.Reset(s.route.message)
	}
	return Hold
}

// done ends a call that has put a reply together.
func (s *Stream) done() Action {
	s.phase = phaseReplied
	s.out.release()
	s.writeRefusal()
	return Reply
}

// fits says whether a body of this length may be held or streamed; otherwise the
// answer is 413.
func (s *Stream) fits(length int64) bool {
	settings := &s.program.doc.Settings
	if length <= int64(settings.HoldLimit) || settings.Overflow == spec.OverflowStream {
		return true
	}
	return s.refuseLarge()
}

// limited says whether a limit counts this request.
func (s *Stream) limited() bool {
	return s.route.inference && len(s.program.modelLimits(s.model)) > 0
}

// metered says whether a limit counts the tokens of this request.
func (s *Stream) metered() bool {
	return s.route.inference && s.program.models[s.model].metered
}

// redaction returns the redaction of the model, nil if there is none.
func (s *Stream) redaction() *spec.Redaction {
	if i := s.program.models[s.model].redaction; i >= 0 {
		return &s.program.doc.Redactions[i]
	}
	return nil
}

// findEarlyModel looks for the model where the body is not needed: in the header of
// a trusted peer, then in the path.
func (s *Stream) findEarlyModel() bool {
	switch {
	case s.facts.trusted && s.facts.hasModel:
		return s.setEarly(&s.trustedModel)
	case s.route.hasModel:
		return s.setEarly(&s.pathModel)
	}
	return true
}

func (s *Stream) setEarly(name *text) bool {
	s.early = true
	return s.setModel(name)
}

// setModel looks a name up; it answers 404 for an unknown one.
func (s *Stream) setModel(name *text) bool {
	if !name.over {
		s.model = s.program.catalog.names.Find(view(name.bytes()))
	}
	return s.model >= 0 || s.refuseModel(name)
}

// userName returns who the user is: the user header's value or else the body's.
func (s *Stream) userName() []byte {
	if s.user.n > 0 {
		return s.user.bytes()
	}
	return s.in.user.bytes()
}
