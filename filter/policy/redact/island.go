package redact

// matchHongKongID finds a Hong Kong identity card number: one or two letters, six
// digits and a check digit or A, most often in brackets, weighted by 9 to 1
// modulo 11 with A as 10 and a space (36) before a single letter. Brackets make
// it certain; without them capital letters are asked for, with the digits right behind
// them: "ID 1234567" is anything.
func matchHongKongID(w *window, i int) (span, uint8, bool) {
	if !w.letterAt(i) {
		return miss()
	}
	k, gaps, apart, sum := i+1, 0, false, 36*9+letterValue(w.upperAt(i))*8
	if w.letterAt(k) {
		sum = letterValue(w.upperAt(i))*9 + letterValue(w.upperAt(k))*8
		k++
	}
	if w.digits(k, 6) && w.alnumAt(k+6) && w.alnumAt(k+7) {
		return miss() // it goes on
	}
	for weight := 7; weight >= 2; weight-- {
		next := w.skipSep(k)
		if !w.digitAt(next) {
			return miss()
		}
		if next > k {
			gaps++
			apart = apart || weight == 7
		}
		sum += int(w.code[next]-'0') * weight
		k = next + 1
	}
	k = w.skipSep(k)
	want := byte('0' + (11-sum%11)%11)
	if want > '9' {
		want = 'A'
	}
	end := k + 1
	if w.upperAt(k) != want || !w.alone(i, end) || w.at(end) == '(' {
		return miss()
	}
	switch {
	case w.at(k-1) == '(' && w.at(end) == ')':
		return hit(i, end+1, 100)
	case w.code[i]&0x20 != 0 || gaps > 1 || apart:
		return hit(i, end, 30)
	}
	return hit(i, end, 60)
}

// letterValue is 10 for A up to 35 for Z.
func letterValue(c byte) int { return int(c) - 'A' + 10 }

// matchTaiwanID finds an identity number of Taiwan, or one of a resident: a
// letter of the place of registration, 1, 2, 8 or 9 (or A to D on old cards),
// and eight digits of which the last makes the weighted sum a multiple of ten. Behind
// letters that stand apart ("ID 12345678") it asks for a context word.
func matchTaiwanID(w *window, i int) (span, uint8, bool) {
	second := w.skipSep(i + 1)
	if !w.letterAt(i) || indexOf("1289ABCD", w.upperAt(second)) < 0 || !w.digitAt(w.skipSep(second+1)) {
		return miss()
	}
	var t token
	t.read(w, i, 10)
	if t.n < 10 || t.number(2, 8) < 0 || !w.alone(i, t.end) {
		return miss()
	}
	// Letters are 10 to 35 in this order, of which the second counts by its last
	// digit: A to D by 0 to 3.
	place := 10 + indexOf("ABCDEFGHJKLMNPQRSTUVXYWZIO", t.char[0])
	if t.char[1] >= 'A' {
		t.char[1] -= 'A' - '0'
	}
	sum := place/10 + place%10*9 + int(t.char[9]-'0')
	for k, c := range t.char[1:9] {
		sum += int(c-'0') * (8 - k)
	}
	if sum%10 != 0 {
		return miss()
	}
	apart := second > i+1 || w.letterAt(second) && !w.digitAt(second+1)
	if apart || w.code[i]&0x20 != 0 || t.gaps > 2 {
		return hit(i, t.end, 40)
	}
	return hit(i, t.end, 75)
}

// matchMacauID finds a number of a resident identity card of Macau: 1, 5, 7 or 8, six
// digits and a check digit, most often in brackets, by a rule that is not published. It
// asks for a context word; without brackets it is no date.
func matchMacauID(w *window, i int) (span, uint8, bool) {
	var t token
	t.take(w, i, 8, isDigit, maxUnits)
	switch {
	case t.n < 8 || t.gaps > 1 || !w.clear(i, t.end) || !w.isolated(i, t.end):
		return miss()
	case t.gaps == 0 && !validDate(t.number(0, 4), t.number(4, 2), t.number(6, 2)):
		return hit(i, t.end, 10)
	case t.gaps == 1 && t.layout == 7<<5|1 && w.at(t.end-2) == '(' && w.at(t.end) == ')':
		return hit(i, t.end+1, 30)
	}
	return miss()
}
