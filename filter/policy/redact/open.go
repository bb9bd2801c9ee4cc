package redact

import (
	"math/bits"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// What stands at the end of a piece is held back only while a match may begin in it,
// whatever follows. All that is asked here errs on that side.

// reach is what a match of a detector is made of, as far as is asked of a begin of one.
type reach uint8

const (
	reachLiteral reach = iota // one of the kind's literals, and what may follow that
	reachDigits               // digits and separators
	reachSerial               // letters and digits with separators, of which two letters may come first
	reachCapital              // letters in upper case and digits, with separators
	reachHex                  // hexadecimal digits, with separators and colons
	reachSecret               // base64
	reachPlate                // a province, and then as reachSerial
)

// reachOf holds what matches of a kind are made of.
var reachOf = [Kinds]reach{
	spec.EntityPhone: reachDigits, spec.EntityResidentID: reachDigits, spec.EntityBankCard: reachDigits, spec.EntityLandline: reachDigits,
	spec.EntityPhoneUS: reachDigits, spec.EntityPhoneIntl: reachDigits, spec.EntitySSN: reachDigits, spec.EntityIMEI: reachDigits, spec.EntityMacauID: reachDigits,
	spec.EntityPassport: reachSerial, spec.EntityPermit: reachSerial, spec.EntityUSCC: reachSerial, spec.EntityHKID: reachSerial,
	spec.EntityTWID: reachSerial, spec.EntityIBAN: reachSerial, spec.EntityVIN: reachCapital, spec.EntityIP: reachHex,
	spec.EntityMAC: reachHex, spec.EntityPlate: reachPlate,
}

// reaches holds the properties of units in a match, codes besides these, and how many
// letters and digits it has at most.
var reaches = [...]struct {
	props uint16
	most  uint8
	codes string
}{
	reachDigits: {isDigit | isSep, maxCard, ""}, reachSerial: {isDigit | isLetter | isSep, maxToken, ""},
	reachCapital: {isDigit | isUpper | isSep, tokenLength, ""}, reachHex: {isDigit | isHex | isSep, 32, ":"},
	reachSecret: {isDigit | isLetter, longLength, "+/="},
	reachPlate:  {isDigit | isLetter | isSep, 7, string(rune(codePlate)) + string(rune(codePlateEnd))},
}

const (
	lookAhead = 5 // units behind a match that a detector may look at; a URL's user ends before the host
	leastEver = 7 // units of any match
	openScore = 30
)

// release decides the units of the run up to the first one with which a match may begin.
// Those of a match that reaches beyond that are not decided either.
func (r *Redactor) release(src []byte) {
	if r.rest != restNone {
		return
	}
	w := &r.w
	limit, last := w.floor, r.mailFrom()
	for r.wordsAt = -1; limit < last && !r.opensAt(src, limit); limit++ {
	}
	for n := 0; n < 2 && limit > w.floor && r.leads(src, limit-1, limit == w.n); n++ {
		limit--
	}
	if limit > w.floor {
		r.scan(src, limit, limit)
		w.drop()
	}
}

// leads says whether the unit at i may belong to a match that begins behind it; last says
// that nothing stands there.
func (r *Redactor) leads(src []byte, i int, last bool) bool {
	c := r.w.at(i)
	return (c == '(' || c == '+') && (!last || r.rules.number != 0) || (c == '/' || c == '+') && r.expects(src, i, spec.EntityAWSKey)
}

// expects says whether a context word stands before unit i, or is the key's, with which
// a weak form of the kind counts.
func (r *Redactor) expects(src []byte, i int, kind spec.EntityKind) bool {
	return r.rules.on[kind] && r.inContext(src, i, kind, openScore) >= r.rules.threshold
}

// mailFrom returns the first unit of the run with which an address may begin that is not
// whole, and the end of the run if there is none.
func (r *Redactor) mailFrom() int {
	w := &r.w
	if !r.rules.email || w.n == w.floor {
		return w.n
	}
	end := w.end[w.n-1]
	from := w.localStart(w.n, end)
	at := w.ats - 1
	if at < w.floor || w.n-at > maxDomain || at+1 < w.n && end-w.start[at+1] > maxPartRaw {
		return from
	}
	for k, c := range w.code[at+1 : w.n] {
		if k == 0 && c == '-' || props[c]&(isDigit|isLetter) == 0 && c != '-' && c != '.' {
			return from
		}
	}
	if start := w.localStart(at, w.start[at]); start < at {
		return start
	}
	return from
}

// opensAt says whether a match of a detector may begin with unit i.
func (r *Redactor) opensAt(src []byte, i int) bool {
	w, rules := &r.w, r.rules
	set := rules.mayBegin(w, i)
	if set != 0 && i+1 < w.n {
		set &= rules.second[w.at(i+1)&127]
	}
	if end := w.groupEnd(i); set != 0 && end > i && end < w.n {
		set &= rules.byLength[min(end-i, 31)]
		if next := w.nextGroup(end); end-i < longGroup && next > 0 && w.skipSep(end)+next < w.n {
			set &= rules.groups[end-i][next]
		}
	}
	for ; set != 0; set &= set - 1 {
		if r.mayBe(src, i, &detectors[bits.TrailingZeros64(set)]) {
			return true
		}
	}
	return false
}

// mayBe says whether what stands from unit i on may become a match of the detector.
func (r *Redactor) mayBe(src []byte, i int, d *detector) bool {
	w, what, letters := &r.w, reachOf[d.kind], 2
	weak := d.kind == spec.EntityPassport
	switch {
	case d.build == longBuild:
		what, weak = reachSecret, true
	case d.kind == spec.EntityPermit && !w.digitAt(i):
		letters, weak = 3, true
	}
	if weak && !r.expects(src, i, d.kind) {
		return false
	}
	end, ok := i, true
	switch what {
	case reachLiteral:
		end = r.literalEnd(i, d.kind)
		ok = end-i <= maxMatch
	case reachSerial:
		if first := w.endOf(i, isLetter); first > i {
			next := w.skipSep(first)
			ok = first-i <= letters && (next == w.n || w.digitAt(next))
		}
		fallthrough
	default:
		of, alnum := &reaches[what], 0
		for ; end < w.n; end++ {
			p := props[w.at(end)]
			if p&of.props == 0 && indexOf(of.codes, w.at(end)) < 0 {
				break
			}
			if p&(isDigit|isLetter) != 0 {
				alnum++
			}
		}
		ok = ok && alnum <= int(of.most)
	}
	if end < w.n { // it ends, but what is behind may say more
		ok = ok && d.kind != spec.EntityURLPassword && w.n-end < lookAhead && end-i >= int(max(d.digits, leastUnits[d.kind], leastEver))
	}
	return ok
}

// literalEnd returns the unit behind a literal of the kind at unit i and what may follow
// it, the end of the run if that may still become one, and i if it may not.
func (r *Redactor) literalEnd(i int, kind spec.EntityKind) int {
	w := &r.w
	for n := range r.rules.literals[:r.rules.literalCount] {
		l := &r.rules.literals[n]
		if l.kind != kind {
			continue
		}
		end := i
		for end-i < len(l.text) && (w.at(end) == l.text[end-i] || l.fold && w.at(end)|0x20 == l.text[end-i]) {
			end++
		}
		if end-i == len(l.text) {
			if kind == spec.EntityBearer {
				end = w.skipSep(end)
			}
			for end < w.n && follows(kind, w.at(end)) {
				end++
			}
			return end
		}
		if end == w.n {
			return end
		}
	}
	return i
}

// follows says whether a code may stand behind a literal of the kind in a match.
func follows(kind spec.EntityKind, code byte) bool {
	if kind == spec.EntityURLPassword {
		return code != '/' && code != ' '
	}
	return inToken.holds(code) || code == ' ' && kind == spec.EntityPrivateKey
}
