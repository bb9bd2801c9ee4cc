package engine

import (
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// pipe is the way of the body's bytes: what is read of a chunk comes out here
// unchanged or through the redactor, and is held.
//
// Bytes that come out as they went in are not copied one by one: pipe remembers
// which span of the chunk they are, and copies it when something else follows or
// the chunk ends. A body that comes in one chunk and is not changed is never
// copied.
type pipe struct {
	held hold.Buffer // what is to go upstream
	raw  hold.Buffer // bytes read before the model was known, while they are read again

	chunk    []byte // the piece being read; nil between calls
	from, to int    // span of chunk that comes out unchanged and is not in held yet
	written  int64  // bytes that came out
	taken    bool   // held has taken the place of the bytes given

	redacting bool
	counted   bool // the request's counts are in found
	found     Counts
	redactor  redact.Redactor
	session   redact.Session
	cover     coverage
	replay    replay
}

func (p *pipe) bind(pool *hold.Pool) {
	p.held.Init(pool, 0)
	p.raw.Init(pool, 0)
	p.replay.p, p.cover.p = p, p
}

// holdSlack is how much longer than the hold limit the bytes held may get, by tags
// that are longer than what they replace and by a chunk that is streamed on.
const holdSlack = 256 << 10

func (p *pipe) reset(limit int) {
	p.release()
	p.held.SetLimit(limit + holdSlack)
	p.raw.SetLimit(limit + holdSlack)
	p.chunk, p.from, p.to, p.written, p.taken = nil, 0, 0, 0, false
	p.redacting, p.counted = false, false
}

func (p *pipe) release() {
	p.held.Release()
	p.raw.Release()
}

func (p *pipe) counts() Counts {
	if p.counted {
		return p.found
	}
	if !p.redacting {
		return Counts{}
	}
	return p.redactor.Counts()
}

// keepCounts notes what was found in the request, before its redactor is used for the
// answer.
func (p *pipe) keepCounts() {
	if !p.counted {
		p.found, p.counted = p.counts(), true
	}
}

// redact sends the strings of a body, which is still to come, through rules; nil leaves
// them alone.
func (p *pipe) redact(rules *bodyRules) {
	p.redacting = rules != nil
	if p.redacting {
		p.redactor.Reset(rules.values, &p.session, p)
		p.cover.reset(rules)
	}
}

// begin starts a chunk.
func (p *pipe) begin(chunk []byte) { p.chunk, p.from, p.to = chunk, 0, 0 }

// Write lets bytes out, in order: a span of the chunk or what replaces one.
//
//go:noinline
func (p *pipe) Write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	p.written += int64(len(b))
	at := cap(p.chunk) - cap(b) // where b begins if it is a slice of the chunk
	if at < 0 || at+len(b) > len(p.chunk) || &p.chunk[at] != &b[0] {
		return p.writeOther(b)
	}
	if at != p.to {
		if err := p.flush(); err != nil {
			return err
		}
		p.from = at
	}
	p.to = at + len(b)
	return nil
}

// writeOther lets bytes out that are no slice of the chunk. They may still be what
// the chunk says there: a redactor that held them back copied them.
//
//go:noinline
func (p *pipe) writeOther(b []byte) error {
	if p.to+len(b) <= len(p.chunk) && view(p.chunk[p.to:p.to+len(b)]) == view(b) {
		p.to += len(b)
		return nil
	}
	if err := p.flush(); err != nil {
		return err
	}
	p.taken = true
	return p.held.Append(b)
}

// insert lets bytes out that do not stand in the body. They are never taken for a
// part of the chunk, where the same bytes may come next.
//
//go:noinline
func (p *pipe) insert(b []byte) error {
	p.written += int64(len(b))
	if err := p.flush(); err != nil {
		return err
	}
	p.taken = true
	return p.held.Append(b)
}

// overwrite puts b in place of bytes that came out, at bytes after the first. None of
// these may have left.
func (p *pipe) overwrite(at int64, b []byte) error {
	if err := p.flush(); err != nil {
		return err
	}
	p.held.Overwrite(int(at), b)
	return nil
}

// flush puts the span into held.
//
//go:noinline
func (p *pipe) flush() error {
	span := p.chunk[p.from:p.to]
	p.from = p.to
	if len(span) == 0 {
		return nil
	}
	p.taken = true
	return p.held.Append(span)
}

// end finishes a chunk. If whole, it was all of the body, and it is left where it
// is if it came out unchanged.
func (p *pipe) end(whole bool) error {
	if whole && !p.taken && p.from == 0 && p.to == len(p.chunk) {
		p.chunk, p.from, p.to = nil, 0, 0
		return nil
	}
	p.taken = p.taken || len(p.chunk) > 0 // even if nothing of it comes out yet, or ever
	err := p.flush()
	p.chunk, p.from, p.to = nil, 0, 0
	return err
}

// redactAgain is called when the model has become known at the end of a string in
// the midst of the body: everything that came out so far, which no rule has changed,
// is read once more through the rules.
func (p *pipe) redactAgain(rules *bodyRules) error {
	read := p.chunk[p.from:p.to]
	p.held, p.raw = p.raw, p.held
	p.written, p.from, p.to = 0, 0, 0
	p.redact(rules)
	p.replay.scanner.Reset(rules.maxDepth)
	p.replay.scalars, p.replay.inScalar = 0, false
	chunk := p.chunk
	for p.raw.Blocks() > 0 {
		p.begin(p.raw.Block(0))
		if err := p.replay.scanner.Scan(p.chunk, &p.replay); err != nil {
			return err
		}
		if err := p.flush(); err != nil {
			return err
		}
		p.raw.DropFirst()
	}
	p.begin(chunk)
	if err := p.replay.scanner.Scan(read, &p.replay); err != nil {
		return err
	}
	return p.cover.close() // its quote is not read yet
}

// reader reads a body once more.
type reader interface{ read(p []byte) error }

// reread gives all bytes that came out, of a body that is whole, to r, which may put
// others in their place into raw.
//
//go:noinline
func (p *pipe) reread(r reader) error {
	for i := range p.held.Blocks() {
		if err := r.read(p.held.Block(i)); err != nil {
			return err
		}
	}
	return r.read(p.chunk[p.from:p.to])
}

// replaced puts what is in raw in the place of all bytes that came out, or drops it.
//
//go:noinline
func (p *pipe) replaced(good bool) {
	if good {
		p.held, p.raw = p.raw, p.held
		p.chunk, p.from, p.to, p.taken = nil, 0, 0, true
		p.written = int64(p.held.Len())
	}
	p.raw.Release()
}

// replay reads bytes again that were inspected before: it only lets them out.
type replay struct {
	p        *pipe
	caps     *caps // whose places change
	scanner  jsonscan.Scanner
	inScalar bool
	scalars  int32 // how many came before
	began    int64 // where the last string came out
}

func (r *replay) Structure(raw []byte) error     { return r.p.Write(raw) }
func (r *replay) Begin(object bool, d int) error { r.p.cover.at.Begin(object, d); return nil }
func (r *replay) End(d int) error                { r.p.cover.at.End(d); return nil }
func (r *replay) KeyStart() error                { r.p.cover.at.KeyStart(); return nil }
func (r *replay) KeyBytes(raw []byte) error      { r.p.cover.at.KeyBytes(raw); return r.p.Write(raw) }
func (r *replay) KeyEnd() error                  { r.p.cover.at.KeyEnd(); return nil }
func (r *replay) StringBytes(raw []byte) error   { return r.p.cover.take(raw) }
func (r *replay) StringEnd() error               { return r.p.cover.close() }
func (r *replay) Scalar(raw []byte) error {
	if !r.inScalar {
		r.inScalar = true
		r.caps.moved(r.scalars, r.p.written)
	}
	return r.p.Write(raw)
}

func (r *replay) ScalarEnd() error {
	r.inScalar = false
	r.scalars++
	return nil
}

// StringStart notes where the string begins.
func (r *replay) StringStart() error {
	r.began = r.p.written
	r.p.cover.open()
	return nil
}
