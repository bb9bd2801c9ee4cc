package redact

// Bounds of what is held and looked at. A detector's answer for a position
// depends on at most ripeUnits units or ripeRaw raw bytes from it on:
//
//	address: maxLocal + '@' + maxDomain = 193 units and one behind it;
//	         2*maxPartRaw + 2*(maxUnitRaw + maxSkipRaw) = 604 bytes
//	others:  maxMatch units and 5 of context behind it;
//	         maxMatchRaw + 5*(maxUnitRaw + maxSkipRaw) = 614 bytes
const (
	maxUnits  = 512  // units in a window
	mostHeld  = 240  // undecided units behind the end of a chunk
	maxRaw    = 1024 // raw bytes of a window's undecided units and what follows them
	slideRaw  = 896  // raw bytes at which the window slides; the rest is room for a unit
	ripeUnits = 208
	ripeRaw   = 640

	maxUnitRaw  = 14  // raw bytes of one unit: \\uXXXX twice
	maxSkipRaw  = 32  // raw bytes that do not show between two units
	maxMatch    = 160 // units of a match other than an address
	maxMatchRaw = 384 // raw bytes of it
	maxPartRaw  = 256 // raw bytes of each part of an address
	maxSeps     = 3   // separators in a row

	lookBehind = 12 // decided units kept for the look at what stands before
)

// window is the end of a run: codes of its last units and where their raw
// bytes lie in the source, which is a chunk or the redactor's own carry.
type window struct {
	n     int  // units
	floor int  // units before it are decided: matches neither begin nor reach there
	urls  bool // users of URLs are looked for
	user  bool // the authority of one goes on
	ats   int  // behind the last '@'
	row   row  // of digits, as far as they are counted
	group group
	code  [maxUnits]byte
	start [maxUnits]int32 // first raw byte
	end   [maxUnits]int32 // behind the last raw byte
}

// span is a match in a window: units [start, end).
type span struct {
	start, end int
	more       rest // what may go on behind end
}

func (w *window) reset() { w.n, w.floor, w.user, w.ats = 0, 0, false, 0 }

// accepts says whether a unit of this code continues the run. A few separators
// do so behind a digit or an upper-case letter, and then only another of those
// continues it.
func (w *window) accepts(code byte) bool {
	p := props[code]
	if w.n == 0 {
		return p&(isRun|isStart) != 0
	}
	last := props[w.code[w.n-1]]
	switch {
	case p&last&isRun != 0, w.user && p&(isRun|isUser) != 0:
		return true
	case p&isSep != 0:
		return w.joins() || code == ' ' && w.scheme(w.n)
	case p&isRun == 0:
		return code == codePlateEnd && w.plateOpen()
	case last&isSep != 0:
		return p&isJoined != 0 || w.code[w.n-1] == ' ' && w.scheme(w.n-1)
	}
	return last&isStart != 0 && p&isLetter != 0
}

// joins says whether a separator may follow: there are few of them behind a
// digit or an upper-case letter.
func (w *window) joins() bool {
	i := w.n - 1
	for i >= 0 && w.n-1-i < maxSeps && props[w.code[i]]&isSep != 0 {
		i--
	}
	return i >= 0 && props[w.code[i]]&isJoined != 0 || i < 0 && w.code[0] == '('
}

// scheme says whether the name of a scheme of credentials ends before unit i.
func (w *window) scheme(i int) bool {
	return w.ends(i, "bearer") || w.ends(i, "basic")
}

// ends says whether the word, in lower case, ends before unit i in any case.
func (w *window) ends(i int, word string) bool {
	at := i - len(word)
	if at < 0 || w.alnumAt(at-1) {
		return false
	}
	for k := range len(word) {
		if w.code[at+k]|0x20 != word[k] {
			return false
		}
	}
	return true
}

// plateOpen says whether the units at the end may be a plate without its last
// character.
func (w *window) plateOpen() bool {
	for i := w.n - 1; i >= 0 && i >= w.n-9; i-- {
		if w.code[i] == codePlate {
			return true
		}
	}
	return false
}

// add appends a unit; there is room for it.
func (w *window) add(code byte, start, end int) {
	w.code[w.n] = code
	w.start[w.n] = int32(start)
	w.end[w.n] = int32(end)
	w.n++
	switch code {
	case '/':
		w.user = w.urls && w.literal(w.n-3, "://")
	case '@':
		w.ats = w.n
	}
}

// tooShort says whether the run has not as many units as any match, but for addresses of
// mail and of machines.
func (w *window) tooShort() bool {
	if w.n >= leastEver || w.ats > 0 {
		return false
	}
	for _, c := range w.code[:w.n] {
		if c == ':' {
			return false
		}
	}
	return true
}

// plain appends the units at offset i of src that are ordinary characters in the midst
// of a run, of one byte each, while there is room, and returns the offset behind them.
// It does what accepts and add do, for those that are by far the most.
func (w *window) plain(src []byte, i int) int {
	if w.n == 0 || w.floor >= w.n || midst[src[i]] == 0 {
		return i
	}
	first, n := i, w.n
	end := min(len(src), i+maxUnits-1-n, int(w.start[w.floor])+slideRaw)
	for goesOn := goesOnBehind[w.code[n-1]&127]; i < end; i++ {
		m := midst[src[i]]
		if m&goesOn == 0 {
			break
		}
		if src[i] == '@' {
			w.ats = n + i - first + 1
		}
		goesOn = m >> 4
	}
	w.n += i - first
	code, start, behind := w.code[n:w.n], w.start[n:w.n], w.end[n:w.n]
	if text := src[first:i]; len(code) > shortCopy {
		copy(code, text)
	} else {
		for k := range code {
			code[k] = text[k]
		}
	}
	for k := range start {
		start[k], behind[k] = int32(first+k), int32(first+k+1)
	}
	return i
}

// shortCopy is how many bytes are copied one by one: V8 calls a function for more.
const shortCopy = 16

// midst holds, for the bytes that are a unit as they are and ask no question of the window, what
// inMidst makes of their properties.
var midst = func() (t [256]uint8) {
	for c := range t {
		if !decoded[c] && c != '/' {
			t[c] = inMidst(props[asciiCode[c]])
		}
	}
	return t
}()

// goesOnBehind holds the high bits of inMidst by the code of a unit.
var goesOnBehind = func() (t [128]uint8) {
	for c := range t {
		t[c] = inMidst(props[c]) >> 4
	}
	return t
}()

// inMidst returns what a unit is in the midst of a run, in the low bits, and which ones go on
// behind it, in the high ones: characters of runs behind such, separators between what they join.
func inMidst(p uint16) (m uint8) {
	const run, sep, joined = 1, 2, 4
	if p&isRun != 0 {
		m |= run | run<<4
	}
	if p&isSep != 0 {
		m |= sep | joined<<4
	}
	if p&isJoined != 0 {
		m |= joined | sep<<4
	}
	return m
}

// full says whether the window must slide when the source was read up to offset pos.
func (w *window) full(pos int) bool {
	return w.n == maxUnits || pos-int(w.start[min(w.floor, w.n-1)]) > slideRaw
}

// ripe returns how many units can be decided, given that the source was read
// up to offset pos.
func (w *window) ripe(pos int) int {
	limit := max(w.n-ripeUnits, w.floor)
	for limit < w.n && pos-int(w.start[limit]) > ripeRaw {
		limit++
	}
	for n := 0; n < 2 && limit > w.floor && (w.code[limit-1] == '+' || w.code[limit-1] == '('); n++ {
		limit-- // it goes with the number behind it
	}
	return limit
}

// drop forgets decided units but those that are context for what follows.
func (w *window) drop() {
	base := w.floor - lookBehind
	if base <= 0 {
		return
	}
	copy(w.code[:], w.code[base:w.n])
	copy(w.start[:], w.start[base:w.n])
	copy(w.end[:], w.end[base:w.n])
	w.n -= base
	w.floor -= base
	w.ats -= base
}

// rebase moves the offsets into a source that begins at offset by of the old.
func (w *window) rebase(by int) {
	for i := range w.n {
		w.start[i] -= int32(by)
		w.end[i] -= int32(by)
	}
}
