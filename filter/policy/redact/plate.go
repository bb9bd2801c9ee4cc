package redact

// matchPlate finds a licence plate of mainland China (GA 36): the short name of a
// province, a letter, perhaps a dot, space or hyphen, and five characters of
// which at most two are letters and the last may be 挂, 学, 警, 港 or 澳; or six
// with a letter of new-energy vehicles in front or at the end. Letters are not
// I and O.
func matchPlate(w *window, i int) (span, uint8, bool) {
	if w.at(i) != codePlate || !plateLetter(w.upperAt(i+1)) {
		return miss()
	}
	body := w.skipSep(i + 2)
	n, digits := 0, 0
	for n < 6 && (w.digitAt(body+n) || plateLetter(w.upperAt(body+n))) {
		if w.digitAt(body + n) {
			digits++
		}
		n++
	}
	end := body + n
	switch {
	case w.alnumAt(end):
		return miss()
	case n == 4 && digits >= 2 && w.at(end) == codePlateEnd:
		end++
	case n == 5 && digits >= 3:
	case n == 6 && digits >= 4 && newEnergy(w.upperAt(body)) && w.digits(body+2, 4):
	case n == 6 && digits == 5 && newEnergy(w.upperAt(end-1)):
	default:
		return miss()
	}
	return hit(i, end, 85)
}

// plateLetter says whether c is a letter in upper case other than I and O.
func plateLetter(c byte) bool { return c >= 'A' && c <= 'Z' && c != 'I' && c != 'O' }

// newEnergy says whether c is a letter of new-energy vehicles.
func newEnergy(c byte) bool { return c >= 'A' && c <= 'K' && c != 'I' }
