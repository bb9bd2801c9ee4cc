package redact

import "github.com/weirmesh/weir/filter/policy/spec"

// Kinds is the number of kinds of values, those of custom entries among them.
const Kinds = spec.AllKinds

// detectorSet is a set of indexes of detectors.
type detectorSet = uint64

// Rules is a compiled set of entities. It is immutable and may be shared. A nil
// *Rules redacts nothing.
type Rules struct {
	class     [256]uint8 // what a raw byte asks of the search, see search.go
	on        [spec.EntityKinds]bool
	threshold uint8
	email     bool
	plate     bool
	modes
	custom *customRules // nil: none
	// begins holds the detectors to try at a unit, by what stands before that and its code.
	begins [afterKinds][128]detectorSet
	// byLength holds those that do not begin with a digit, or may begin with a group
	// of as many.
	byLength [32]detectorSet
	// second holds those behind whose first unit one of this code may stand.
	second [128]detectorSet
	// pairs holds those that may begin with two digits side by side, by their value.
	pairs [100]detectorSet
	// groups holds those that may begin with two groups of as many digits, if there are no
	// more where the second has none.
	groups [longGroup][mostGroup + 1]detectorSet
	// number holds those that begin with a digit and are numbers, inSeries those whose
	// digits follow the letters with which they begin; enough all others, and of those the
	// ones for which as many digits are enough.
	number, inSeries detectorSet
	enough           [mostDigits + 1]detectorSet
	// whole holds those for a match of which so many units are enough.
	whole [mostUnits + 1]detectorSet
	// serial holds those that a digit follows soon; formed those of each build, rowed those
	// that are not one more in a row, and printed those whose groups are even or known.
	serial, rowed, printed detectorSet
	formed                 [builds]detectorSet
	// shaped holds those that may begin with as many letters and digits, by what is behind.
	shaped [marks][longLength + 2]detectorSet
	// entry says of a code, in its low bits, behind what a match may begin with it, and in the
	// high ones what it is for a match behind it.
	entry [128]uint8
	// minDigits is the least number of digits by which the search knows a match.
	minDigits int
	// literals are in the order of their anchors; literalOf holds, by raw byte, one
	// more than the index of the first one that it anchors.
	literals     [maxLiterals]literal
	beside       [maxLiterals]uint32 // by the first literal of an anchor: the low bits of what stands beside that
	literalCount int
	literalOf    [256]uint8
}

// The most that detector.digits and leastUnits ask for.
const (
	mostDigits = 18
	mostUnits  = 40
	longGroup  = 9  // digits in a first group, of which detector.groups says nothing
	mostGroup  = 15 // digits that it counts in the second
)

// What a unit is that stands before a match: besides these, isDigit and isLetter.
const (
	afterSign  = 3 // '+'
	afterKinds = 4
)

// What a unit is that stands before a match, as a bit: 1 << afterSign and so on.
const (
	entryOther  uint8 = 1
	entryDigit        = 1 << isDigit
	entryLetter       = 1 << isLetter
	entrySign         = 1 << afterSign
)

// Compile makes rules of the entities of a redaction, which spec has validated, that
// apply in a direction. It returns nil if there are none.
func Compile(redaction *spec.Redaction, d spec.Direction) *Rules {
	r := &Rules{threshold: redaction.MinScore(), custom: newCustomRules(redaction, d)}
	if !r.setModes(redaction, d) && r.custom == nil {
		return nil
	}
	r.compile()
	r.addProbe()
	return r
}

// compile fills the tables for the kinds that are on.
func (r *Rules) compile() {
	r.email, r.plate = r.on[spec.EntityEmail], r.on[spec.EntityPlate]
	r.minDigits = maxUnits
	for i := range detectors {
		if r.on[detectors[i].kind] {
			r.add(&detectors[i], 1<<i)
		}
	}
	r.addEntries()
	r.addLiterals()
	r.classify()
}

// add puts a detector into the tables; bit is its own.
func (r *Rules) add(d *detector, bit detectorSet) {
	for c := range r.second {
		if d.goesOn(byte(c)) {
			r.second[c] |= bit
		}
	}
	r.addCounts(d, bit)
	for after := range r.begins {
		switch d.where {
		case afterNonDigit:
			if after == int(isDigit) {
				continue
			}
		case afterNonAlnum, serial:
			if after == int(isDigit) || after == int(isLetter) {
				continue
			}
		case afterPlus:
			if after != afterSign {
				continue
			}
		}
		for k := range len(d.begins) {
			r.begins[after][d.begins[k]] |= bit
		}
	}
	r.formed[d.build] |= bit
	for mark := range r.shaped {
		for length := range r.shaped[mark] {
			if d.build.shapes(uint8(mark), length) {
				r.shaped[mark][length] |= bit
			}
		}
	}
	if d.where == serial {
		r.serial |= bit
	}
	switch d.build {
	case imeiBuild, vinBuild, usccBuild:
		r.printed |= bit
		fallthrough
	case rowBuild:
		r.rowed |= bit
	}
}

// addEntries fills the table of where a match may begin.
func (r *Rules) addEntries() {
	for c := range r.entry {
		switch p := props[c]; {
		case p&isDigit != 0:
			r.entry[c] = entryDigit << 4
		case p&isLetter != 0:
			r.entry[c] = entryLetter << 4
		case c == '+':
			r.entry[c] = entrySign << 4
		default:
			r.entry[c] = entryOther << 4
		}
		for after := range r.begins {
			if r.begins[after][c] != 0 {
				r.entry[c] |= 1 << after
			}
		}
	}
}

// addCounts puts a detector into the tables of how many units, and digits, a match has.
func (r *Rules) addCounts(d *detector, bit detectorSet) {
	for n := range r.byLength {
		if d.lengths == 0 || d.lengths>>n&1 != 0 {
			r.byLength[n] |= bit
		}
	}
	for v := range r.pairs {
		if d.mayPair(v) {
			r.pairs[v] |= bit
		}
	}
	number := d.number()
	inSeries := d.where == serial && d.kind != spec.EntityIBAN
	if number {
		r.number |= bit
	}
	if inSeries {
		r.inSeries |= bit
	}
	for n := range r.enough {
		if !number && !inSeries || n >= int(d.digits) {
			r.enough[n] |= bit
		}
	}
	for n := range r.whole {
		if n >= int(max(d.digits, leastUnits[d.kind])) {
			r.whole[n] |= bit
		}
	}
	for first := range r.groups {
		for next := range r.groups[first] {
			if r.byLength[first]&bit != 0 && d.mayGroup(byte(first), byte(next)) && (next > 0 || inSeries || r.enough[first]&bit != 0) {
				r.groups[first][next] |= bit
			}
		}
	}
	if d.digits > 0 {
		r.minDigits = min(r.minDigits, int(d.digits))
	}
}

// classify fills the class table with what can begin or change a match.
func (r *Rules) classify() {
	for c := range r.class {
		if foldLead[c] {
			r.class[c] = classWide
		}
	}
	for c, first := range r.literalOf {
		if first > 0 {
			r.class[c] = classLiteral
		}
	}
	r.class['\\'] = classEscape
	r.class['%'] = classEscape
	if r.email {
		r.class['@'] = classAt
	}
	if r.minDigits < maxUnits {
		for c := '0'; c <= '9'; c++ {
			r.class[c] = classDigit
		}
	}
}

// mayGroup says whether a match may begin with two groups of as many digits.
func (d *detector) mayGroup(first, next byte) bool {
	for k := 0; k < len(d.groups); k += 2 {
		if hexValue[d.groups[k]] == first && hexValue[d.groups[k+1]] == next {
			return true
		}
	}
	return d.groups == ""
}

// mayPair says whether a match may begin with two digits side by side, by their value.
func (d *detector) mayPair(v int) bool {
	switch d.kind {
	case spec.EntityResidentID:
		return provinces[v]
	case spec.EntityBankCard:
		return cardPairs[v]
	case spec.EntityPhoneUS:
		return v/10 == 1 || v%10 != 9 && v != 37 && v != 96
	case spec.EntityPhone:
		return v == 0 || v == 86 || v > 12 && v < 20
	}
	return true
}

// number says whether a match is digits with separators, at least its first ones.
func (d *detector) number() bool { return d.where == afterNonDigit || d.where == afterPlus }

// goesOn says whether the code may stand behind the first one of a match.
func (d *detector) goesOn(code byte) bool {
	switch {
	case d.second != "":
		return indexOf(d.second, code) >= 0
	case d.number():
		return props[code]&(isDigit|isSep) != 0
	}
	return props[code]&(isDigit|isLetter|isSep) != 0
}
