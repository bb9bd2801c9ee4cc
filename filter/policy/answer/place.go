package answer

import "unsafe"

// Small functions that are called in many places are kept out of line here: copies of
// them would weigh more than the calls.

// view is b as a string without a copy, valid while b is not changed.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// mode is how the strings of a container are read.
type mode uint8

const (
	modeJoined mode = iota
	modeAlone
	modeProbs
	modeSound
)

// frame is a container that is open.
type frame struct {
	list   bool
	mode   mode
	known  bool  // the member's name is
	class  class // of the member that is being read; of a list, its own
	record int16
	name   uint32 // of the member that is being read; in a list, the position
}

// place is where in a JSON value the scanner stands. Its methods are those of
// jsonscan.Sink, to be called from there.
type place struct {
	depth  int
	frames [maxNesting + 1]frame
	key    [maxName]byte
	named  int
	long   bool
	hash   uint32
}

func (p *place) reset() {
	p.depth = 0
	p.frames[0] = frame{record: none}
}

// here is the container that is being read; all that are too deep are one.
//
//go:noinline
func (p *place) here() *frame { return &p.frames[min(p.depth, maxNesting)] }

// begin goes into a container.
func (p *place) begin(object bool, depth int) *frame {
	of := p.here()
	in := frame{list: !object, mode: of.mode, class: joined, record: of.record}
	switch {
	case of.class == probs:
		in.mode = modeProbs
	case of.class == sound && in.mode == modeJoined:
		in.mode = modeSound
	case (of.class == data || of.class == pieces || of.class == coded) && in.mode != modeProbs:
		in.mode = modeAlone
	}
	if in.list {
		in.class, in.known, in.name = of.class, of.known, none32
	}
	p.depth = depth
	to := p.here()
	*to = in
	return to
}

const none32 = 1<<32 - 1 // position before the first item

// next goes to the value that begins.
func (p *place) next() *frame {
	f := p.here()
	if f.list {
		f.name++
	}
	return f
}

func (p *place) end(depth int) { p.depth = depth - 1 }

func (p *place) keyStart() { p.named, p.long, p.hash = 0, false, seed }

func (p *place) keyBytes(raw []byte) {
	p.hash = hash(p.hash, raw)
	n := copy(p.key[p.named:], raw)
	p.named += n
	p.long = p.long || n < len(raw)
}

// keyEnd goes to the member.
func (p *place) keyEnd() *frame {
	f := p.here()
	f.name, f.class, f.known = p.hash, joined, false
	if p.long { // in whatever pieces it came
		p.named = 0
	} else {
		f.class, f.known = classOf(p.hash, view(p.key[:p.named]))
	}
	return f
}

// use is what is done with a string.
type use uint8

const (
	useNothing use = iota
	useJoined
	useAlone
	useEmpty // nothing of it goes on
	useZero  // 0 goes on
	useSerial
	useLine // as useAlone, of a line that is no data
)

// use says what is done with a string that begins here; blind says that what repeats
// the text token by token is not let through.
func (f *frame) use(blind bool) use {
	switch f.mode {
	case modeProbs:
		if blind {
			return useEmpty
		}
		return useNothing
	case modeAlone:
		return useAlone
	}
	switch f.class {
	case fixed, kind, item, finished, index:
		return useNothing
	case alone, data:
		return useAlone
	case payload:
		if f.mode == modeSound {
			return useAlone
		}
	}
	return useJoined
}

// zero says whether a number is one of a token's bytes.
func (f *frame) zero(blind bool) bool { return blind && f.mode == modeProbs && f.class == octets }
