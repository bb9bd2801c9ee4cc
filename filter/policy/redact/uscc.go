package redact

// matchUSCC finds a unified social credit code (GB 32100): two characters of the
// registering department and the category, six digits of region, nine characters
// of the organisation's code and a check character, by powers of three modulo
// 31, over an alphabet without I, O, S, V and Z. The region is in a province, or
// 10 for the country. One of nothing but digits has no groups: a card's may follow
// each other.
func matchUSCC(w *window, i int) (span, uint8, bool) {
	if second := w.skipSep(i + 1); !w.alnumAt(second) || !w.digitAt(w.skipSep(second+1)) {
		return miss()
	}
	var t token
	t.readPrinted(w, i, 18, isDigit|isLetter)
	if t.n < 18 || t.gaps > 0 && t.digits == 18 || !t.printed(2<<15|6<<10|9<<5|1, 8<<5|10) || !w.alone(i, t.end) {
		return miss()
	}
	region := t.number(2, 6) / 10000
	if t.char[0] == '0' || region < 10 || region > 10 && !provinces[region] {
		return miss()
	}
	sum, power := 0, 1
	for k, c := range t.char[:18] {
		v := indexOf("0123456789ABCDEFGHJKLMNPQRTUWXY", c)
		if v < 0 {
			return miss()
		}
		if k == 17 {
			power = 1
		}
		sum += v * power
		power = power * 3 % 31
	}
	if sum%31 != 0 || t.digits == 18 && !organisation(t.char[8:17]) {
		return miss()
	}
	return hit(i, t.end, 100)
}

// organisation says whether nine digits are an organisation's code (GB 11714):
// the last is right modulo 11. Numbers of 18 digits are many; codes with letters
// need no second check.
func organisation(digits []byte) bool {
	const weights = "\x03\x07\x09\x0a\x05\x08\x04\x02"
	sum := int(digits[8] - '0')
	for k := range len(weights) {
		sum += int(digits[k]-'0') * int(weights[k])
	}
	return sum%11 == 0
}

// indexOf returns where c stands in alphabet, or -1.
func indexOf(alphabet string, c byte) int {
	for k := range len(alphabet) {
		if alphabet[k] == c {
			return k
		}
	}
	return -1
}
