package redact

// Bounds of what is held and looked at. A detector's answer for a position
// depends on at most ripeUnits units or ripeRaw raw bytes from it on:
//
//	address: maxLocal + '@' + maxDomain = 193 units and one behind it;
//	         2*maxPartRaw + 2*(maxUnitRaw + maxSkipRaw) = 588 bytes
//	number:  24 units and 5 of context behind it;
//	         maxNumberRaw + 5*(maxUnitRaw + maxSkipRaw) = 574 bytes
const (
	maxUnits  = 256  // units in a window
	maxRaw    = 1024 // raw bytes of a window's undecided units and what follows them
	slideRaw  = 896  // raw bytes at which the window slides; the rest is room for a unit
	ripeUnits = 208
	ripeRaw   = 640

	maxUnitRaw   = 6   // raw bytes of one unit: \uXXXX
	maxSkipRaw   = 32  // raw bytes that do not show between two units
	maxNumberRaw = 384 // raw bytes of a number
	maxPartRaw   = 256 // raw bytes of each part of an address

	contextUnits = 6 // decided units kept for the look at what stands before
)

// window is the end of a run: codes of its last units and where their raw
// bytes lie in the source, which is a chunk or the redactor's own carry.
type window struct {
	n     int // units
	floor int // units before it are decided: matches neither begin nor reach there
	code  [maxUnits]byte
	start [maxUnits]int32 // first raw byte
	end   [maxUnits]int32 // behind the last raw byte
}

// span is a match in a window: units [start, end), of which [lo, hi) are to be
// masked.
type span struct {
	start, lo, hi, end int
}

func (w *window) reset() { w.n, w.floor = 0, 0 }

// accepts says whether a unit of this code continues the run. Separators do so
// behind a digit only, and then only a digit continues it.
func (w *window) accepts(code byte) bool {
	p := props[code]
	if p&isRun == 0 {
		return p&isSep != 0 && w.n > 0 && props[w.code[w.n-1]]&isDigit != 0
	}
	if w.n == 0 || p&isDigit != 0 {
		return true
	}
	return props[w.code[w.n-1]]&isRun != 0
}

// add appends a unit; there is room for it.
func (w *window) add(code byte, start, end int) {
	w.code[w.n] = code
	w.start[w.n] = int32(start)
	w.end[w.n] = int32(end)
	w.n++
}

// ripe returns how many units can be decided, given that the source was read
// up to offset pos.
func (w *window) ripe(pos int) int {
	limit := max(w.n-ripeUnits, w.floor)
	for limit < w.n && pos-int(w.start[limit]) > ripeRaw {
		limit++
	}
	if limit > w.floor && w.code[limit-1] == '+' {
		limit-- // it goes with the number behind it
	}
	return limit
}

// drop forgets decided units but those that are context for what follows.
func (w *window) drop() {
	base := w.floor - contextUnits
	if base <= 0 {
		return
	}
	copy(w.code[:], w.code[base:w.n])
	copy(w.start[:], w.start[base:w.n])
	copy(w.end[:], w.end[base:w.n])
	w.n -= base
	w.floor -= base
}

// rebase moves the offsets into a source that begins at offset by of the old.
func (w *window) rebase(by int) {
	for i := range w.n {
		w.start[i] -= int32(by)
		w.end[i] -= int32(by)
	}
}

// digitAt says whether unit i exists and is a digit.
func (w *window) digitAt(i int) bool {
	return i >= 0 && i < w.n && props[w.code[i]]&isDigit != 0
}

// skipSep returns i behind a separator at i, or i.
func (w *window) skipSep(i int) int {
	if i < w.n && props[w.code[i]]&isSep != 0 {
		return i + 1
	}
	return i
}
