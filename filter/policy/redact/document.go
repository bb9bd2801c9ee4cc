package redact

// matchPassport finds a passport number of mainland China (E or G and eight
// digits; E, a letter other than I and O, and seven digits since 2017; 14 or 15
// and seven digits; P, S and D for official and diplomatic ones), of Hong Kong
// (H or K and eight digits) or of Macau (M or MA and seven or eight). None has
// a check digit in text: all ask for a context word.
func matchPassport(w *window, i int) (span, uint8, bool) {
	if w.digitAt(i) {
		if w.digits(i, 9) && w.value(i, 2)/2 == 7 && w.clear(i, i+9) && w.isolated(i, i+9) {
			return hit(i, i+9, 20) // 14 and 15
		}
		return miss()
	}
	body, digits := w.series(i)
	ok := false
	second := byte(0) // letter, or a dot
	if body == i+2 {
		second = w.upperAt(i + 1)
	}
	switch c := w.upperAt(i); c {
	case 'E':
		ok = second == 0 && digits == 8 || plateLetter(second) && digits == 7
	case 'G', 'H', 'K':
		ok = second == 0 && digits == 8
	case 'P', 'D':
		ok = (second == 0 || second == 'E' || second == '.' && c == 'P') && digits == 7
	case 'S':
		ok = (second == 0 || second == 'E' || second == '.') && (digits == 7 || digits == 8)
	case 'M':
		ok = (second == 0 || second == 'A') && (digits == 7 || digits == 8)
	}
	if !ok || body > i+2 || !w.alone(i, body+digits) {
		return miss()
	}
	return hit(i, body+digits, 30)
}

// series reads up to three letters at i, of which a dot may follow a single one,
// and the digits behind them.
func (w *window) series(i int) (body, digits int) {
	body = i
	for body < i+3 && w.letterAt(body) {
		body++
	}
	if body == i+1 && w.at(body) == '.' {
		body++
	}
	for w.digitAt(body + digits) {
		digits++
	}
	return body, digits
}

// matchPermit finds a travel or residence permit that begins with a letter:
// home-return permits of residents of Hong Kong and Macau (H or M and eight
// digits, or ten with the count of issues), permits of mainland residents for
// there (C or W and eight digits, C and a letter and seven) and for Taiwan (T and
// a letter and seven, L and eight), and permanent residence cards of foreigners
// until 2023 (three letters and twelve digits). Without check digits they ask for
// a context word.
func matchPermit(w *window, i int) (span, uint8, bool) {
	body, digits := w.series(i)
	ok := false
	switch c, letters := w.upperAt(i), body-i; {
	case w.at(i+1) == '.':
	case letters == 3:
		ok = digits == 12
	case letters == 2:
		ok = digits == 7 && (c == 'C' || c == 'T')
	case c == 'H' || c == 'M':
		ok = digits == 8 || digits == 10
	case c == 'C' || c == 'W' || c == 'L':
		ok = digits == 8
	}
	if !ok || !w.alone(i, body+digits) {
		return miss()
	}
	return hit(i, body+digits, 30)
}

// matchPermitNumber finds a permit of digits: of Taiwan residents for the mainland
// (eight digits that are no date, or ten and perhaps "(B)"), which asks for a
// context word, and permanent residence cards of foreigners since 2023: numbers of
// GB 11643 with a 9 and three digits of nationality in the region.
func matchPermitNumber(w *window, i int) (span, uint8, bool) {
	n := 0
	for n < 18 && w.digitAt(i+n) {
		n++
	}
	switch {
	case w.code[i] == '9' && (n == 6 || n >= 17):
		return w.resident(i, 1)
	case !w.clear(i, i+n) || !w.isolated(i, i+n):
		return miss()
	case n == 8 && !validDate(w.value(i, 4), w.value(i+4, 2), w.value(i+6, 2)):
		return hit(i, i+8, 10)
	case n == 10 && w.literal(i+10, "(B)"):
		return hit(i, i+13, 60)
	case n == 10:
		return hit(i, i+10, 10)
	}
	return miss()
}
