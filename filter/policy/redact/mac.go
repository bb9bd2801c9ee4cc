package redact

// matchMAC finds a hardware address of 48 bits (IEEE 802): six pairs of
// hexadecimal digits with colons or hyphens, or three groups of four with dots.
// Longer rows of pairs are fingerprints; pairs of nothing but decimal digits
// with hyphens may be a time and ask for a context word. All zeros and all ones are nobody's.
func matchMAC(w *window, i int) (span, uint8, bool) {
	pair, sep := 2, w.at(i+2)
	if sep != ':' && sep != '-' {
		if pair, sep = 4, w.at(i+4); sep != '.' {
			return miss()
		}
	}
	if w.alnumAt(i-1) || w.at(i-1) == sep && w.alnumAt(i-2) {
		return miss()
	}
	letters, sum, k := 0, 0, i
	for n := 0; n < 12; n++ {
		if n > 0 && n%pair == 0 {
			if w.at(k) != sep {
				return miss()
			}
			k++
		}
		if !w.hexAt(k) {
			return miss()
		}
		if !w.digitAt(k) {
			letters++
		}
		sum += int(hexValue[w.code[k]])
		k++
	}
	switch {
	case w.alnumAt(k) || w.at(k) == sep && w.alnumAt(k+1), sum == 0, sum == 12*15:
		return miss()
	case letters == 0 && sep != ':':
		return hit(i, k, 40)
	case letters == 0:
		return hit(i, k, 55)
	}
	return hit(i, k, 80)
}
