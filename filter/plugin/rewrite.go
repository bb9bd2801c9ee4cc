//go:build wasip1

package plugin

// outBytes is how much of what is written anew goes to Envoy at once.
const outBytes = 16 << 10

// bodyOut writes a chunk of a response's body. As long as what comes is what the chunk
// says there, nothing is done; from where it differs on, the chunk is written anew
// behind itself, and drained in the end.
type bodyOut struct {
	size  uint32 // of the chunk
	part  []byte // the range of it that is being read
	at    uint32 // where that begins
	same  uint32 // bytes of the chunk that came as they are, and nothing else
	anew  bool
	st    status
	n     int
	bytes [outBytes]byte
}

// begin begins a chunk.
func (o *bodyOut) begin(size uint32) {
	o.size, o.part, o.at, o.same, o.anew, o.st, o.n = size, nil, 0, 0, false, statusOK, 0
}

// Write is part of engine.Output. What fails is kept for end.
func (o *bodyOut) Write(p []byte) error {
	if !o.anew {
		at := int(o.same) - int(o.at)
		if at >= 0 && at+len(p) <= len(o.part) && view(o.part[at:at+len(p)]) == view(p) {
			o.same += uint32(len(p))
			return nil
		}
		o.repeat()
	}
	for len(p) > 0 {
		k := copy(o.bytes[o.n:], p)
		o.n += k
		if p = p[k:]; o.n == outBytes {
			o.flush()
		}
	}
	return nil
}

// repeat writes the first bytes of the chunk once more, behind what stands there. The
// range that is being read is read again in the end: it lies where the others did.
//
//go:noinline
func (o *bodyOut) repeat() {
	o.anew = true
	for at := uint32(0); at < o.same && o.st == statusOK; {
		part, st := getBuffer(responseBody, at, min(o.same-at, rangeSize))
		if st == statusOK && len(part) == 0 {
			st = statusNotFound
		}
		if st == statusOK {
			st = appendBody(responseBody, part)
		}
		o.st = st
		at += uint32(len(part))
	}
	if o.st == statusOK && len(o.part) > 0 {
		_, o.st = getBuffer(responseBody, o.at, uint32(len(o.part)))
	}
}

//go:noinline
func (o *bodyOut) flush() {
	if o.st == statusOK {
		o.st = appendBody(responseBody, o.bytes[:o.n])
	}
	o.n = 0
}

// end ends the chunk.
func (o *bodyOut) end() status {
	if !o.anew && o.same < o.size {
		o.repeat()
	}
	if !o.anew {
		return o.st
	}
	o.flush()
	if o.st == statusOK && o.size > 0 {
		o.st = setBody(responseBody, o.size, nil)
	}
	return o.st
}
