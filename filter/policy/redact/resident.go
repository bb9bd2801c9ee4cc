package redact

// matchResidentID finds a resident identity number of GB 11643: six digits of
// region, the date of birth, three digits of sequence and a check character,
// in one piece or in groups. The province, the date (1900 to 2099) and the check
// character must be right.
func matchResidentID(w *window, i int) (span, uint8, bool) {
	return w.resident(i, 0)
}

// resident finds a number of GB 11643 whose province begins with the given
// digit.
func (w *window) resident(i, province int) (span, uint8, bool) {
	if w.code[i] == '0' {
		return miss()
	}
	if k := i + province; w.digits(k, 2) && !provinces[w.value(k, 2)] {
		return miss()
	}
	if !w.centuryBehind(i) {
		return miss() // most rows of digits
	}
	var t token
	t.take(w, i, 8, isDigit, maxUnits)
	if century := t.number(6, 2); t.n < 8 || century != 19 && century != 20 {
		return miss()
	}
	t.take(w, w.skipSep(t.end), 18, isDigit, maxUnits)
	if last := w.skipSep(t.end); t.n == 17 && w.upperAt(last) == 'X' {
		t.char[17], t.end, t.n = 'X', last+1, 18
	}
	if t.n < 18 || w.digitAt(t.end) || !provinces[max(t.number(province, 2), 0)] {
		return miss()
	}
	if !validDate(t.number(6, 4), t.number(10, 2), t.number(12, 2)) {
		return miss()
	}
	sum := 0
	for k, weight := range residentWeights {
		sum += int(t.char[k]-'0') * weight
	}
	if t.char[17] != residentCheck[sum%11] {
		return miss()
	}
	return hit(i, t.end, certain)
}

// centuryBehind says whether the seventh and the eighth digit at i are 19 or 20, with nothing
// but separators between all.
func (w *window) centuryBehind(i int) bool {
	code := w.code[:w.n]
	last := byte(0)
	for n := 0; i < len(code); i++ {
		v := code[i] - '0'
		if v > 9 {
			if props[code[i]]&isSep == 0 {
				return false
			}
			continue
		}
		if n++; n == 8 {
			return last == 1 && v == 9 || last == 2 && v == 0
		}
		last = v
	}
	return false
}

// provinces holds the two-digit province codes of GB/T 2260, and those of the
// residence permits of people from Hong Kong (81), Macau (82) and Taiwan (83).
var provinces = [100]bool{
	11: true, 12: true, 13: true, 14: true, 15: true,
	21: true, 22: true, 23: true,
	31: true, 32: true, 33: true, 34: true, 35: true, 36: true, 37: true,
	41: true, 42: true, 43: true, 44: true, 45: true, 46: true,
	50: true, 51: true, 52: true, 53: true, 54: true,
	61: true, 62: true, 63: true, 64: true, 65: true,
	71: true, 81: true, 82: true, 83: true,
}

var monthDays = [13]int{1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}

// validDate says whether the date exists in the years 1900 to 2099. There is
// no clock here to tell a date of birth from the future.
func validDate(year, month, day int) bool {
	if year < 1900 || year > 2099 || month < 1 || month > 12 || day < 1 || day > monthDays[month] {
		return false
	}
	leap := year%4 == 0 && year != 1900
	return month != 2 || day < 29 || leap
}

// Weights and check characters of ISO 7064 MOD 11-2, as GB 11643 prints them.
var residentWeights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

const residentCheck = "10X98765432"
