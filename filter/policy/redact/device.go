package redact

// matchIMEI finds the number of a mobile device (3GPP TS 23.003, 6.2.1): eight
// digits of type, six of serial and one by Luhn. With the prefix of a reporting
// body that is in use (01, 35, 86, 99), or in its printed groups, it is certain;
// others ask for a context word.
func matchIMEI(w *window, i int) (span, uint8, bool) {
	var t token
	t.readPrinted(w, i, 15, isDigit)
	if t.n < 15 || !t.printed(2<<15|6<<10|6<<5|1, 8<<10|6<<5|1) || w.at(i-1) == '+' || !w.clear(i, t.end) || !w.isolated(i, t.end) || w.fraction(i) {
		return miss()
	}
	body := t.number(0, 2)
	for k := range t.char[:15] {
		t.char[k] -= '0'
	}
	if !luhn(t.char[:15]) {
		return miss()
	}
	switch body {
	case 1, 35, 86, 99:
		return hit(i, t.end, 60)
	}
	return hit(i, t.end, 25)
}

// matchVIN finds a vehicle identification number (ISO 3779, GB 16735): 17 letters
// and digits without I, O and Q, the last four of them digits, of which the ninth
// is right by 49 CFR 565.15. Numbers of makers that leave the check digit out,
// most of them in Europe, are not found.
func matchVIN(w *window, i int) (span, uint8, bool) {
	const (
		values  = "12345678.12345.7.923456789" // of A to Z
		weights = "\x08\x07\x06\x05\x04\x03\x02\x0a\x00\x09\x08\x07\x06\x05\x04\x03\x02"
	)
	if lower(w.at(i)) || lower(w.at(i+1)) {
		return miss()
	}
	var t token
	t.readPrinted(w, i, 17, isDigit|isLetter)
	if t.n < 17 || t.digits == 17 || !t.printed(3<<10|6<<5|8, 9<<5|8) || t.number(13, 4) < 0 || !w.alone(i, t.end) {
		return miss()
	}
	for k := i; k < t.end; k++ {
		if lower(w.code[k]) || w.code[k] == ' ' && !t.even {
			return miss()
		}
	}
	sum := 0
	for k, c := range t.char[:17] {
		if c >= 'A' {
			c = values[c-'A']
		}
		if c == '.' {
			return miss()
		}
		sum += int(c&15) * int(weights[k])
	}
	check := byte('0' + sum%11)
	if check > '9' {
		check = 'X'
	}
	if t.char[8] != check {
		return miss()
	}
	return hit(i, t.end, 85)
}

func lower(c byte) bool { return c >= 'a' && c <= 'z' }
