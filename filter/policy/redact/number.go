package redact

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
			return false
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
