package redact

// phoneScore is that of a number that nothing checks.
const phoneScore = 90

// matchPhone finds a mobile number of mainland China: 11 digits with a prefix
// of the numbering plan (YD/T 3020 and the carriers' assignments), in one
// piece or in groups of 3, 4 and 4, with or without the country code 86. The
// country code and the first three and last four digits stay.
func matchPhone(w *window, i int) (span, uint8, bool) {
	body, start := i, i
	switch {
	case w.digits(i, 4) && w.value(i, 4) == 86: // 0086
		body = w.skipSep(i + 4)
	case w.digits(i, 2) && w.value(i, 2) == 86:
		body = w.skipSep(i + 2)
	}
	end, ok := phoneBody(w, body)
	if !ok || !w.clear(start, end) || w.zeroPoint(start) {
		return span{}, 0, false
	}
	if body > i && start > w.floor && w.code[start-1] == '+' {
		start--
	}
	return span{start: start, end: end}, phoneScore, true
}

// zeroPoint says whether "0." stands before i. Other numbers may: "1.138..."
// is more often the first line of a list than a fraction of eleven digits.
func (w *window) zeroPoint(i int) bool {
	return w.fraction(i) && w.code[i-2] == '0' && !w.digitAt(i-3)
}

func phoneBody(w *window, i int) (end int, ok bool) {
	if !w.digits(i, 3) || !mobilePrefix(w.code[i], w.code[i+1], w.code[i+2]) {
		return 0, false
	}
	i = w.skipSep(i + 3)
	if !w.digits(i, 4) {
		return 0, false
	}
	i = w.skipSep(i + 4)
	return i + 4, w.digits(i, 4)
}

// mobileThird holds, by the second digit, the third digits in use as bits.
var mobileThird = [10]uint16{
	3: 0b11_1111_1111, // 130-139
	4: 0b11_1110_0000, // 145-149
	5: 0b11_1110_1111, // 150-153, 155-159
	6: 0b00_1110_0100, // 162, 165-167
	7: 0b01_1111_1111, // 170-178
	8: 0b11_1111_1111, // 180-189
	9: 0b11_1110_1111, // 190-193, 195-199
}

func mobilePrefix(a, b, c byte) bool {
	return a == '1' && mobileThird[b-'0']>>(c-'0')&1 != 0
}
