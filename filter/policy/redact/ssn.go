package redact

// matchSSN finds a US social security number: three, two and four digits. The
// area is not 000 or 666, no group is all zeros, and areas from 900 on count
// unless the group is one of an ITIN (IRS, publication 1915: 50 to 65, 70 to 88,
// 90 to 92, 94 to 99). Other separators than hyphens, and nine bare digits, ask
// for a context word.
func matchSSN(w *window, i int) (span, uint8, bool) {
	if !w.digits(i, 3) {
		return miss()
	}
	group := w.skipSep(i + 3)
	serial := w.skipSep(group + 2)
	end := serial + 4
	if group-i-3 != serial-group-2 || !w.digits(group, 2) || !w.digits(serial, 4) || !w.clear(i, end) || !w.isolated(i, end) {
		return miss()
	}
	if !validSSN(w.value(i, 3), w.value(group, 2), w.value(serial, 4)) {
		return miss()
	}
	switch {
	case group == i+3:
		return hit(i, end, 15)
	case w.dashAt(i+3) && w.dashAt(serial-1):
		return hit(i, end, 70)
	}
	return hit(i, end, 40)
}

func validSSN(area, group, serial int) bool {
	if area == 0 || area == 666 || group == 0 || serial == 0 {
		return false
	}
	itin := group >= 50 && group <= 65 || group >= 70 && group <= 88 || group >= 90 && group != 93
	return area < 900 || !itin
}
