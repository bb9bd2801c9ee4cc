package redact

// matchResidentOld finds a resident identity number of 15 digits, as issued until
// 1999: six digits of region, the date of birth in the years 1900 to 1999, and a
// sequence. It has no check digit and asks for a context word.
func matchResidentOld(w *window, i int) (span, uint8, bool) {
	if !w.digits(i, 15) || !provinces[w.value(i, 2)] || !w.clear(i, i+15) || w.fraction(i) {
		return miss()
	}
	if !validDate(1900+w.value(i+6, 2), w.value(i+8, 2), w.value(i+10, 2)) {
		return miss()
	}
	return hit(i, i+15, 30)
}
