package redact

// group is letters and digits side by side, and the next ones behind separators.
type group struct {
	at, digits, end int // it begins at unit at or before, its first digits end before unit digits
	// the next group begins with unit next, where its first digits end before nextDigits: all
	// three are end if there is none; next is 0 while nobody asked
	next, nextDigits, nextEnd int
	mark                      uint8 // what stands behind it
	first                     bool  // nothing of it stands before unit at
	row, rowKnown             bool  // it is one more in a row of groups as long
}

// What stands behind a group.
const (
	markOther uint8 = iota
	markSep         // a separator that is none of those below
	markDot
	markHyphen
	markSlash
	markColon
	markPlus
	marks
)

// markOf maps a code to what it is behind a group.
var markOf = func() (t [128]uint8) {
	for c := range t {
		if props[c]&isSep != 0 {
			t[c] = markSep
		}
	}
	t['.'], t['-'], t['/'], t[':'], t['+'] = markDot, markHyphen, markSlash, markColon, markPlus
	return t
}()

// gather takes the letters and digits at unit i as the group. If the one before was taken as
// well, it is known whether they make a row.
func (w *window) gather(i int) {
	g := &w.group
	code := w.code[:w.n]
	digits, end := g.nextDigits, g.nextEnd
	if i != g.next || i == 0 {
		digits, end = alnums(code, i)
	}
	switch gap := i - g.end; {
	case g.first && gap > 0 && gap <= maxSeps && (gap == 1 || w.skipSep(g.end) == i):
		g.row, g.rowKnown = props[code[i-1]]&isSep != 0 && end-i == g.end-g.at && i-g.at < lookBehind, true
	default:
		g.first = i == 0 || props[code[i-1]]&(isDigit|isLetter) == 0
		g.row, g.rowKnown = false, !g.first
	}
	g.at, g.digits, g.end, g.next = i, digits, end, 0
	g.mark = markOther
	if end < len(code) {
		g.mark = markOf[code[end]&127]
	}
}

// ahead finds the group behind the one that is gathered.
func (w *window) ahead() {
	g := &w.group
	if g.next > 0 {
		return
	}
	code := w.code[:w.n]
	next := g.end
	for next < len(code) && next-g.end < maxSeps && props[code[next]]&isSep != 0 {
		next++
	}
	g.next, g.nextDigits, g.nextEnd = next, next, next
	if next > g.end {
		g.nextDigits, g.nextEnd = alnums(code, next)
	}
}

// rowed says whether the group that is gathered, if it begins with unit i, is one more in a
// row of groups as long.
func (w *window) rowed(i int) bool {
	g := &w.group
	if !g.rowKnown {
		g.rowKnown = true
		g.row = w.has(g.at-1, isSep) && w.inRow(g.at)
	}
	return g.row && i == g.at
}

// alnums returns where the digits at unit i end, and where the letters and digits do.
func alnums(code []byte, i int) (digits, end int) {
	p := uint16(0)
	for ; i < len(code); i++ {
		if p = props[code[i]]; p&isDigit == 0 {
			break
		}
	}
	digits = i
	if p&isLetter == 0 {
		return digits, digits
	}
	for i < len(code) && props[code[i]]&(isDigit|isLetter) != 0 {
		i++
	}
	return digits, i
}

// shapes says whether letters and digits of this length with a mark behind them may begin
// a match of the build.
func (b build) shapes(mark uint8, length int) bool {
	grouped := length <= usccLength/2 && mark >= markSep && mark <= markSlash
	switch {
	case b == anyBuild || b == rowBuild || b == imeiBuild:
		return true
	case length > longLength:
		return false
	case b == dotBuild:
		return mark == markDot && length <= 3 || mark == markColon && length <= 4
	case b == pairBuild:
		return length == 2 && (mark == markColon || mark == markHyphen) || length == 4 && mark == markDot
	case b == islandBuild:
		return length <= 10
	case b == seriesBuild:
		return length == 9 || length == 11 || length == 15
	case b == vinBuild:
		return length == tokenLength || grouped
	case b == usccBuild:
		return length == usccLength || grouped
	}
	return mark == markPlus || mark == markSlash || length >= longLength-2 // one or two of those may stand before
}
