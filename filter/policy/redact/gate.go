package redact

// Gates: which detectors are worth asking about a place, by its first units and the groups
// of digits and letters there.

// asked returns the detectors to ask about a match that begins with unit i, which stands behind
// what the bit of an entry says.
func (r *Rules) asked(w *window, i int, behind uint8) detectorSet {
	code := w.code[:w.n]
	c, second := code[i], codeBreak
	if i+1 < len(code) {
		second = code[i+1]
	}
	set := r.begins[kindOf(behind)][c&127] & r.second[second&127] & r.whole[min(len(code)-i, mostUnits)]
	if first, next := c-'0', second-'0'; first < 10 && next < 10 {
		set &= r.pairs[first*10+next]
	}
	if set != 0 && props[c]&(isDigit|isLetter) != 0 {
		set = r.narrow(w, set, i)
	} else if (c == ':' || c == '-') && i > 0 && code[i-1] == c || c == ':' && second == '/' && w.ats <= i {
		return 0 // the first one of them was asked about; a user of a URL stands before an '@'
	}
	return set
}

// between returns the unit behind digits at i, that stand between letters and are too few for a
// number, or i if they are not.
func (r *Rules) between(code []byte, i int) int {
	end := i
	for end < len(code) && props[code[end]]&isDigit != 0 {
		end++
	}
	if end-i < r.minDigits && end < len(code) && props[code[end]]&isLetter != 0 {
		return end
	}
	return i
}

// narrow returns those of a set of detectors that may find a match at unit i, a digit or a
// letter, by the groups there.
func (r *Rules) narrow(w *window, set detectorSet, i int) detectorSet {
	g := &w.group
	if i < g.at || i >= g.end {
		w.gather(i)
	}
	set &= r.shaped[g.mark][min(g.end-i, longLength+1)]
	if g.row && i == g.at {
		set &^= r.rowed
	}
	if g.mark == markDot && w.fraction(i) {
		set &^= r.formed[dotBuild]
	}
	if set&r.formed[pairBuild] != 0 && i > 1 && w.code[i-1] == w.code[g.end%maxUnits] && alnum(w.code[i-2]) {
		set &^= r.formed[pairBuild] // not the first of a row of pairs
	}
	if set == 0 {
		return 0
	}
	if props[w.code[i%maxUnits]]&isDigit != 0 {
		set = r.counted(w, set, i)
	} else if set&r.serial != 0 {
		if digit := w.serial(i); digit == 0 {
			set &^= r.serial
		} else if set&r.inSeries != 0 {
			set &= r.enough[w.joined(digit)]
		}
	}
	if set&^r.formed[anyBuild] != 0 {
		set &^= r.misshapen(w, set, i)
	}
	return set
}

// mayBegin returns the detectors of matches that may begin with unit i, by that and what
// stands before it alone.
func (r *Rules) mayBegin(w *window, i int) detectorSet {
	c := w.code[i%maxUnits]
	if i == 0 {
		return r.begins[0][c&127]
	}
	before := w.code[(i-1)%maxUnits]
	if before == c && (c == ':' || c == '-') {
		return 0 // the first one of them was asked about
	}
	return r.begins[kindOf(r.entry[before&127]>>4)][c&127]
}

// counted returns those of a set of detectors that may find a match at unit i, by the
// digits there, in the group that is gathered, and behind them.
func (r *Rules) counted(w *window, set detectorSet, i int) detectorSet {
	g := &w.group
	end := g.digits
	if i > g.at {
		end = w.groupEnd(i)
	}
	if set &= r.byLength[min(end-i, 31)]; set == 0 {
		return 0
	}
	next := 0
	if end == g.end {
		w.ahead()
		next = min(g.nextDigits-g.next, mostGroup)
	}
	if end-i < longGroup {
		set &= r.groups[end-i][next]
	} else if next == 0 {
		set &= r.enough[min(end-i, mostDigits)] | r.inSeries
	}
	if set == 0 || next == 0 {
		return set
	}
	if set&r.rowed != 0 && w.rowed(i) {
		set &^= r.rowed
	}
	if set&^(r.enough[min(end-i+next, mostDigits)]|r.inSeries) != 0 {
		set &= r.enough[w.joined(i)] | r.inSeries
	}
	return set
}

// misshapen returns those of a set of detectors whose build the letters and digits at unit
// i, in the group that is gathered, do not have for what shaped does not say.
func (r *Rules) misshapen(w *window, set detectorSet, i int) (not detectorSet) {
	g, formed := &w.group, &r.formed
	if set&formed[dotBuild] != 0 && g.mark == markColon && !w.colons(i) {
		not = formed[dotBuild]
	}
	if set&formed[longBuild] != 0 && i > 1 && (w.code[i-1] == '+' || w.code[i-1] == '/') && alnum(w.code[i-2]) {
		not |= formed[longBuild]
	}
	if set&formed[pairBuild] != 0 && !w.paired(i) {
		not |= formed[pairBuild]
	}
	if set&^not&r.rowed != 0 && w.rowed(i) {
		not |= r.rowed
	}
	if length := g.end - i; length <= usccLength/2 && set&^not&r.printed != 0 {
		not |= r.unprinted(w, length)
	}
	return not
}

// colons says whether the group that is gathered, which ends with a colon, may be the first one
// of an IPv6 address: enough follow, or two colons.
func (w *window) colons(i int) bool {
	code := w.code[:w.n]
	if i > 0 && code[i-1] == ':' {
		return false
	}
	groups, k := 1, w.group.end+1
	for k < len(code) && code[k] != ':' {
		for most := min(k+4, len(code)); k < most && props[code[k]]&(isDigit|isHex) != 0; {
			k++
		}
		if k == len(code) || code[k] != ':' {
			break
		}
		groups++
		k++
	}
	return groups >= 6 || k < len(code) && code[k] == ':' // the last two may be in dotted decimal
}

// paired says whether a group as long stands behind the one that is gathered and its mark.
func (w *window) paired(i int) bool {
	g, code := &w.group, w.code[:w.n]
	k, end := g.end+1, 2*g.end+1-i
	for k < end && k < len(code) && props[code[k]]&(isDigit|isHex) != 0 {
		k++
	}
	return k == end && (k == len(code) || !alnum(code[k]))
}

// unprinted returns the detectors of codes that are not in groups as these are printed: even
// ones, or two of lengths that are known. The first group has as many letters and digits.
func (r *Rules) unprinted(w *window, length int) (set detectorSet) {
	g, formed := &w.group, &r.formed
	w.ahead()
	switch second := g.nextEnd - g.next; {
	case second == length:
		if length < usccLength/3 && !w.even(length) { // of no code the third one is the last
			set = r.printed
		}
		if length > 4 {
			set &^= formed[imeiBuild]
		}
		return set
	case length == 3 && second == 6, length == 9 && second == 8:
		return formed[usccBuild]
	case length == 2 && second == 6, length == 8 && second == 10:
		return formed[vinBuild]
	}
	return formed[vinBuild] | formed[usccBuild]
}

// even says whether a third group is as long as the first two.
func (w *window) even(length int) bool {
	k := w.skipSep(w.group.nextEnd)
	end := k
	for end-k <= length && w.alnumAt(end) {
		end++
	}
	return end-k == length
}

// nextGroup returns how many digits stand behind separators at i, which is behind
// digits, but no more than mostGroup.
func (w *window) nextGroup(i int) int {
	next := w.skipSep(i)
	if next == i {
		return 0
	}
	end := next
	for end-next < mostGroup && w.digitAt(end) {
		end++
	}
	return end - next
}

// serial returns the first digit behind the letters at unit i, of which there are at most
// three, perhaps behind separators, and 0 if there is none.
func (w *window) serial(i int) int {
	end := min(i+4, w.n)
	for i < end && props[w.code[i%maxUnits]]&isLetter != 0 {
		i++
	}
	if i == end {
		return 0
	}
	if i = w.skipSep(i); !w.digitAt(i) {
		return 0
	}
	return i
}

// row is a row of digits with nothing but separators between them.
type row struct {
	at, end int // the digits from unit at on, which ends before unit end,
	left    int // are so many
}

// joined returns how many digits stand at unit i with nothing but separators between
// them, but no more than mostDigits. Rows are counted once, as i goes on.
func (w *window) joined(i int) int {
	r := &w.row
	code := w.code[:w.n]
	if i < r.at || i >= r.end {
		left, end := 0, i
		for k := i; k < len(code) && k-end <= maxSeps; k++ {
			if p := props[code[k]]; p&isDigit != 0 {
				left++
				end = k + 1
			} else if p&isSep == 0 {
				break
			}
		}
		*r = row{i, end, left}
	}
	if r.end-i >= mostDigits*(maxSeps+1) {
		return mostDigits // so many there are at least
	}
	for ; r.at < i; r.at++ {
		if props[code[r.at]]&isDigit != 0 {
			r.left--
		}
	}
	return min(r.left, mostDigits)
}
