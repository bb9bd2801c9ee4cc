package redact

// areaCodes holds the area codes of mainland China that have four digits, by
// the two digits behind the 0 and, as bits, the fourth (GF 010 and the
// assignments of the ministry of industry, as of 2024).
var areaCodes = [70]uint16{
	1: 0x3FF, 3: 1 << 5, 4: 1 << 9, 5: 0x3FF, 7: 0x3FF, 9: 0x17E, // 031x 0335 0349 035x 037x 0391-0396 0398
	11: 0x3FF, 12: 1<<1 | 1<<7 | 1<<9, 13: 0x3FE, 14: 1<<0 | 1<<8, 15: 0x3FF, 16: 1<<4 | 1<<7 | 1<<8 | 1<<9, 17: 0x3FF, 18: 1<<2 | 1<<3,
	21: 0x3FF, 22: 1<<3 | 1<<7, 23: 0x3FF, 24: 1<<3 | 1<<6, 25: 0x3FF, 26: 0x07E, 27: 0x3FF, 28: 1 << 0, 29: 0x3FE,
	33: 0x03E, 36: 1<<0 | 1<<2 | 1<<3 | 1<<8, 39: 1<<1 | 1<<2,
	40: 1 << 1, 41: 0x3FF, 42: 1<<2 | 1<<4 | 1<<8, 43: 0x3FF, 44: 0x078, 45: 0x3FF, 46: 1<<0 | 1<<2 | 1<<3 | 1<<6 | 1<<8 | 1<<9, 47: 0x3FF, 49: 0x3FF,
	51: 1<<2 | 1<<3 | 1<<6 | 1<<7 | 1<<8, 52: 1<<5 | 1<<6 | 1<<7, 53: 0x3FF, 55: 0x3FF, 57: 0x3FF, 58: 1<<3 | 1<<6 | 1<<7 | 1<<8, 59: 0x3FF,
	60: 1<<1 | 1<<2 | 1<<3 | 1<<6 | 1<<8 | 1<<9, 61: 0x2FF, 63: 0x3FF, 64: 1<<1 | 1<<3, 65: 0x03E, 67: 0x2FF, 69: 0x3FF,
}

// areaEnd returns the unit behind the area code at i, or 0: 010, 020 to 029
// without 026, or one of areaCodes.
func (w *window) areaEnd(i int) int {
	if w.at(i) != '0' || !w.digits(i, 3) {
		return 0
	}
	zone, third := int(w.code[i+1]-'0'), int(w.code[i+2]-'0')
	switch {
	case zone == 1 && third == 0, zone == 2 && third != 6:
		return i + 3
	case zone >= 3 && w.digitAt(i+3) && areaCodes[(zone-3)*10+third]>>(w.code[i+3]-'0')&1 != 0:
		return i + 4
	}
	return 0
}

// matchLandline finds a fixed line of mainland China: an area code, in brackets
// or not, seven or eight digits of which the first is 2 to 8, in one piece or as
// 4 and 4, and an extension behind a hyphen. Without brackets or a hyphen it
// asks for a context word.
func matchLandline(w *window, i int) (span, uint8, bool) {
	body := w.areaEnd(i)
	if body == 0 {
		return miss()
	}
	score, long := uint8(30), body == i+3
	switch {
	case w.at(body) == ')':
		body, score = w.skipSep(body), 70
	case w.dashAt(body):
		body, score = body+1, 65
	case w.gapAt(body):
		body, score = w.skipSep(body), 40
	}
	end := w.subscriberEnd(body, long)
	if end == 0 || !w.clear(i, end) {
		return miss()
	}
	if end = w.extensionEnd(end); !w.clear(i, end) || !w.isolated(i, end) {
		return miss()
	}
	return hit(w.bracket(i), end, score)
}

// subscriberEnd returns the unit behind the subscriber's number at i, or 0; a
// long one has eight digits.
func (w *window) subscriberEnd(i int, long bool) int {
	if c := w.at(i); c < '2' || c > '8' || !w.digits(i, 4) {
		return 0
	}
	switch rest := w.skipSep(i + 4); {
	case w.digits(rest, 4):
		return rest + 4
	case !long && rest == i+4 && w.digits(rest, 3):
		return rest + 3
	}
	return 0
}

// extensionEnd returns the unit behind an extension of one to six digits and its
// hyphen at i, or i.
func (w *window) extensionEnd(i int) int {
	if !w.dashAt(i) {
		return i
	}
	k := i + 1
	for k < i+7 && w.digitAt(k) {
		k++
	}
	if k == i+1 {
		return i
	}
	return k
}
