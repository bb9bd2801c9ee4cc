package redact

import "github.com/weirmesh/weir/filter/policy/spec"

// shape is what a mask leaves of the letters and digits of a value: the first head and
// the last tail. With hide only so many before the tail are hidden.
type shape struct {
	head, hide, tail uint8
}

// usualShapes are the shapes of spec.ShapeUsual. Credentials show their first letters,
// which say whose they are, and then nothing of their length.
var usualShapes = [spec.EntityKinds]shape{
	spec.EntityPhone:       {hide: 4, tail: 4},
	spec.EntityResidentID:  {head: 3, tail: 2},
	spec.EntityBankCard:    {tail: 4},
	spec.EntityLandline:    {hide: 4},
	spec.EntityPhoneUS:     {tail: 4},
	spec.EntityPhoneIntl:   {tail: 4},
	spec.EntityPassport:    {head: 1, tail: 2},
	spec.EntityPermit:      {head: 1, tail: 2},
	spec.EntityPlate:       {head: 1, tail: 1},
	spec.EntityUSCC:        {head: 2, tail: 4},
	spec.EntityHKID:        {head: 1},
	spec.EntityTWID:        {head: 1, tail: 3},
	spec.EntityMacauID:     {head: 1},
	spec.EntitySSN:         {tail: 4},
	spec.EntityIBAN:        {head: 2, tail: 4},
	spec.EntityMAC:         {head: 6},
	spec.EntityIMEI:        {tail: 4},
	spec.EntityVIN:         {head: 3, tail: 4},
	spec.EntityAWSKey:      {head: 4},
	spec.EntityGitHubToken: {head: 3},
	spec.EntitySlackToken:  {head: 4},
	spec.EntityOpenAIKey:   {head: 2},
	spec.EntityGoogleKey:   {head: 4},
}

// hidden returns which of n letters and digits are hidden: [lo, hi). A value too short
// to show that much is hidden whole.
func (s shape) hidden(n int) (lo, hi int) {
	lo, hi = int(s.head), n-int(s.tail)
	if s.hide > 0 {
		lo = hi - int(s.hide)
	}
	if lo < 0 || lo >= hi {
		return 0, n
	}
	return lo, hi
}

// shapeOf returns the shape in which values of a kind are masked.
func (r *Rules) shapeOf(kind spec.EntityKind) shape {
	switch r.shape[kind] {
	case spec.ShapeFull:
		return shape{}
	case spec.ShapeLastFour:
		if !secret(kind) {
			return shape{tail: 4}
		}
		return shape{}
	}
	return usualShapes[kind]
}

// secret says whether a kind is credentials.
func secret(kind spec.EntityKind) bool { return kind >= spec.EntityAWSKey }

// stars is what is written for what is hidden.
const stars = "****************"

// mask hides a match. Its units that are neither letters nor digits stay.
func (r *Redactor) mask(src []byte, kind spec.EntityKind, m span) {
	switch {
	case secret(kind):
		r.put(src, m, r.secretMask(kind, m))
		return
	case r.rules.shape[kind] == spec.ShapeArticle && (kind == spec.EntityPhone || kind == spec.EntityResidentID):
		r.put(src, m, r.articleMask(kind, m))
		return
	case kind == spec.EntityEmail && r.rules.shape[kind] <= spec.ShapeArticle:
		r.maskLocalPart(src, m)
		return
	}
	lo, hi := r.rules.shapeOf(kind).hidden(r.countAlnums(m))
	for at, k := 0, m.start; k < m.end && at < hi; k++ {
		if !alnum(r.w.code[k]) {
			continue
		}
		if at++; at > lo {
			from := k
			for k+1 < m.end && at < hi && alnum(r.w.code[k+1]) {
				k++
				at++
			}
			r.star(src, from, k+1)
		}
	}
}

// maskLocalPart hides the local part of an address but for its first character. The
// domain is then searched on.
func (r *Redactor) maskLocalPart(src []byte, m span) {
	at := m.start
	for r.w.code[at] != '@' {
		at++
	}
	r.w.floor = at + 1
	r.star(src, min(m.start+1, at-1), at)
}

// star writes a star for each of the units [start, end).
func (r *Redactor) star(src []byte, start, end int) {
	r.write(src[r.from:r.w.start[start]])
	for n := end - start; n > 0; n -= len(stars) {
		r.insert(view(stars[:min(n, len(stars))]))
	}
	r.from = int(r.w.end[end-1])
}

// secretMask returns the mask of credentials: their first letters and four stars.
func (r *Redactor) secretMask(kind spec.EntityKind, m span) []byte {
	s := r.rules.shapeOf(kind)
	b := r.room[:0]
	for k := m.start; k < m.end && len(b) < int(s.head); k++ {
		if alnum(r.w.code[k]) {
			b = append(b, r.w.code[k])
		}
	}
	return append(b, stars[:4]...)
}

// articleMask returns the mask of a phone number or a resident ID in the shape of the
// articles: three digits, four stars and the last two digits of the number without its
// country code; three stars, the year of birth and three stars.
func (r *Redactor) articleMask(kind spec.EntityKind, m span) []byte {
	b := r.appendAlnums(r.room[:0], m)
	n := len(b)
	if kind == spec.EntityPhone {
		d := b[n-11:]
		return append(append(append(b, d[:3]...), stars[:4]...), d[9:]...)[n:]
	}
	return append(append(append(b, stars[:3]...), b[6:10]...), stars[:3]...)[n:]
}

// countAlnums returns how many letters and digits a match has.
func (r *Redactor) countAlnums(m span) (n int) {
	for _, code := range r.w.code[m.start:m.end] {
		if alnum(code) {
			n++
		}
	}
	return n
}

// appendAlnums appends the letters and digits of a match.
func (r *Redactor) appendAlnums(b []byte, m span) []byte {
	for k := m.start; k < m.end; k++ {
		if alnum(r.w.code[k]) {
			b = append(b, r.w.code[k])
		}
	}
	return b
}

func alnum(code byte) bool { return props[code]&(isDigit|isLetter) != 0 }
