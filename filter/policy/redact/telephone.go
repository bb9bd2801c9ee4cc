package redact

// matchPhoneUS finds a number of the North American Numbering Plan: an area code
// and an exchange of the form NXX (2 to 9, no N11; no area code N9X, 37X or
// 96X) and four digits, with or without the country code 1. Brackets, hyphens,
// dots or spaces between the three groups make it certain; ten bare digits ask
// for a context word.
func matchPhoneUS(w *window, i int) (span, uint8, bool) {
	start, body, bonus := w.bracket(i), i, uint8(0)
	if w.at(i) == '1' {
		if body = w.skipSep(i + 1); body > i+1 {
			bonus = 10
		}
		if start = i; w.at(i-1) == '+' && i > w.floor {
			start, bonus = i-1, 35
		}
	}
	end, score := w.northAmerican(body)
	if end == 0 || !w.clear(start, end) || bonus < 35 && !w.isolated(start, end) {
		return miss()
	}
	return hit(start, end, min(score+bonus, 95))
}

// northAmerican reads ten digits at i in groups of 3, 3 and 4. It returns the
// unit behind them, or 0, and what their layout is worth.
func (w *window) northAmerican(i int) (end int, score uint8) {
	if !w.areaNXX(i) || w.at(i+1) == '9' || w.literal(i, "37") || w.literal(i, "96") {
		return 0, 0
	}
	exchange := w.skipSep(i + 3)
	if !w.areaNXX(exchange) {
		return 0, 0
	}
	line := w.skipSep(exchange + 3)
	if !w.digits(line, 4) {
		return 0, 0
	}
	end = line + 4
	first, second := exchange-i-3, line-exchange-3
	switch c := w.at(i + 3); {
	case first == 0 || second == 0:
		return end, 30
	case c == ')' || w.dashAt(i+3) && w.dashAt(exchange+3):
		return end, 75
	case c == '.' && w.at(exchange+3) == '.':
		return end, 60
	}
	return end, 50
}

// areaNXX says whether three digits stand at i, the first of 2 to 9, the others
// not 11.
func (w *window) areaNXX(i int) bool {
	return w.digits(i, 3) && w.code[i] >= '2' && (w.code[i+1] != '1' || w.code[i+2] != '1')
}

// Digits of an international number with its country code: ITU-T E.164, 6.2,
// and the shortest ones in use.
const (
	minE164 = 8
	maxE164 = 15
)

// matchPhoneIntl finds an international number: '+', a country code that is in
// use (ITU-T E.164, annex), and 8 to 15 digits in all, in groups that spaces,
// hyphens, dots, slashes or brackets separate. It is called at the first digit.
func matchPhoneIntl(w *window, i int) (span, uint8, bool) {
	if i <= w.floor || w.at(i-1) != '+' || w.at(i-2) == '+' || w.alnumAt(i-2) || !w.countryCode(i) {
		return miss()
	}
	digits, first, end := w.groups(i, maxE164)
	score := uint8(65)
	if first < digits {
		score = 75
	}
	zone := w.code[i]
	switch {
	case digits < minE164, first == digits && digits == minE164, (zone == '1' || zone == '7') && digits != 11:
		return miss()
	case first == 4 && (w.literal(i, "19") || w.literal(i, "20")) && w.dashAt(i+7) && w.dashAt(i+4):
		return miss() // a date
	case !w.clear(i, end), w.at(end) == ':' && w.digitAt(end+1):
		return miss()
	}
	return hit(i-1, end, score)
}

// enoughE164 is how many digits make a number whole: groups behind them are
// something else.
const enoughE164 = 11

// groups reads groups of digits at i, with no more digits than most. It returns how
// many there are, how many in the first group, and the unit behind the last.
// Single digits may be a number in disguise and are read on.
func (w *window) groups(i, most int) (digits, first, end int) {
	for k := i; ; k = w.skipSep(end) {
		group := 0
		for w.digitAt(k + group) {
			group++
		}
		if group == 0 || digits+group > most {
			return digits, first, end
		}
		if digits += group; first == 0 {
			first = group
		}
		if end = k + group; w.skipSep(end) == end || digits >= enoughE164 && group > 1 {
			return digits, first, end
		}
	}
}

// countryCode says whether the two digits at i begin a country code in use: all
// but 0, 28, 83 and 89.
func (w *window) countryCode(i int) bool {
	switch {
	case w.at(i) == '1' || w.at(i) == '7':
		return true
	case !w.digits(i, 2) || w.code[i] == '0':
		return false
	}
	return !w.literal(i, "28") && !w.literal(i, "83") && !w.literal(i, "89")
}
