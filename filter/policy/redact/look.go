package redact

// What detectors ask of a window. Before and behind its units there is nothing.

// has says whether unit i exists and has one of the properties.
func (w *window) has(i int, p uint16) bool {
	return uint(i) < uint(w.n) && props[w.code[i%maxUnits]]&p != 0
}

// digitAt says whether unit i exists and is a digit.
func (w *window) digitAt(i int) bool { return w.has(i, isDigit) }

// letterAt says whether unit i exists and is a letter.
func (w *window) letterAt(i int) bool { return w.has(i, isLetter) }

// alnumAt says whether unit i exists and is a letter or a digit.
func (w *window) alnumAt(i int) bool { return w.has(i, isDigit|isLetter) }

// skipSep returns i behind the separators at i, of which there may be few.
func (w *window) skipSep(i int) int {
	for most := min(i+maxSeps, w.n); i < most && props[w.code[i%maxUnits]]&isSep != 0; {
		i++
	}
	return i
}

// inRow says whether the letters and digits at i are one more group in a row of such
// as long, with the same gap between them. What is spelled in groups begins with the
// first of a row.
func (w *window) inRow(i int) bool {
	gap := i
	for gap > 0 && i-gap < maxSeps && props[w.code[gap-1]]&isSep != 0 {
		gap--
	}
	if gap == i {
		return false
	}
	n, first := 0, i-lookBehind
	for gap-1-n >= first && w.alnumAt(i+n) && w.alnumAt(gap-1-n) {
		n++
	}
	return n > 0 && gap-1-n >= first && !w.alnumAt(i+n) && !w.alnumAt(gap-1-n)
}

// groupEnd returns the unit behind the digits at i.
func (w *window) groupEnd(i int) int { return w.endOf(i, isDigit) }

// endOf returns the unit behind those at i that have one of the properties.
//
//go:noinline
func (w *window) endOf(i int, wanted uint16) int {
	for uint(i) < uint(w.n) && props[w.code[i%maxUnits]]&wanted != 0 {
		i++
	}
	return i
}

// literal says whether text stands at i, in the same case.
func (w *window) literal(i int, text string) bool {
	if i < 0 || i+len(text) > w.n {
		return false
	}
	for k := range len(text) {
		if w.code[i+k] != text[k] {
			return false
		}
	}
	return true
}

// clear says whether the characters around units [start, end) let them be a
// number of their own. Next to it may stand no digit, and a letter only in a
// word that is not hexadecimal: runs of eleven digits are common inside hex
// identifiers and nowhere else, and "tel13812345678" is a phone number. A
// number followed by '.' and a digit is an amount.
func (w *window) clear(start, end int) bool {
	if w.digitAt(end) || w.hexWord(end, 1) || w.hexWord(start-1, -1) {
		return false
	}
	return end >= w.n || w.code[end] != '.' || !w.digitAt(end+1)
}

// hexWord says whether a word of nothing but a to f stands at i; step is the
// direction in which it is read. Four letters are looked at.
func (w *window) hexWord(i, step int) bool {
	letters := 0
	for ; letters < 4 && i >= 0 && i < w.n; i += step {
		p := props[w.code[i]]
		if p&isLetter == 0 {
			break
		}
		if p&isHex == 0 {
			return step < 0 && w.code[i] == 'x' && i > 0 && w.code[i-1] == '0' // 0xFF00
		}
		letters++
	}
	return letters > 0
}

// fraction says whether the number at i is the fraction of a decimal number.
func (w *window) fraction(i int) bool {
	return i >= 2 && w.code[i-1] == '.' && w.digitAt(i-2)
}

// digits says whether n digits stand at i.
func (w *window) digits(i, n int) bool {
	if i+n > w.n {
		return false
	}
	for _, c := range w.code[i : i+n] {
		if props[c]&isDigit == 0 {
			return false
		}
	}
	return true
}

// value returns the n digits at i as a number.
func (w *window) value(i, n int) int {
	v := 0
	for _, c := range w.code[i : i+n] {
		v = v*10 + int(c-'0')
	}
	return v
}
