package redact

import (
	"github.com/weirmesh/weir/filter/policy/sha256"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// formatTries is how many values of the same form are tried before the tag takes the
// place: what is found itself will not do.
const formatTries = 6

// reformat returns a value of the same form as the one that was identified, made of it
// and the key: digits for digits, letters for letters, the rest as it is. It is never
// valid, and not found by the same rules.
func (r *Redactor) reformat(src []byte, kind spec.EntityKind, m span) []byte {
	keys := r.of.keys
	for try := range formatTries {
		s := keystream{keys: keys, seed: keys.sum, try: byte(try)}
		b := r.appendForm(keys.text[:0], src, kind, m, &s)
		keys.sum = s.seed
		if !keys.finds(r.rules.probe, b) {
			return b
		}
	}
	return view(tags[kind])
}

// finds says whether rules find anything in a text.
func (k *Keys) finds(rules *Rules, text []byte) bool {
	k.probe.Reset(rules, &k.probed, &k.seen)
	_ = k.probe.Bytes(text) // the output takes everything
	_ = k.probe.StringEnd()
	return k.probe.counts != [Kinds]uint32{}
}

// keystream gives bytes that depend on a value and the key.
type keystream struct {
	keys  *Keys
	seed  [sha256.Size]byte // of the value
	try   byte
	block byte
	left  int // bytes of keys.sum
}

func (s *keystream) next() byte {
	k := s.keys
	if s.left == 0 {
		k.sum[0], k.sum[1], k.sum[2] = forFormat, s.try, s.block
		k.values.Write(k.sum[:3])
		copy(k.sum[:], s.seed[:])
		k.values.Write(k.sum[:])
		k.values.Sum(&k.sum)
		s.block++
		s.left = len(k.sum)
	}
	s.left--
	return k.sum[s.left]
}

// appendForm appends a value of the form of a match.
func (r *Redactor) appendForm(b, src []byte, kind spec.EntityKind, m span, s *keystream) []byte {
	w := &r.w
	f := form{kind: kind, n: r.countAlnums(m), colons: kind == spec.EntityMAC}
	for k := m.start; k < m.end; k++ {
		f.colons = f.colons || w.code[k] == ':'
	}
	for k := m.start; k < m.end; k++ {
		code := w.code[k]
		switch {
		case !alnum(code):
			f.separator(code)
			b = r.appendRaw(b, src, k)
			continue
		case code-'0' < 10:
			code = '0' + s.next()%10
		case f.colons: // beyond f, so that it is not hexadecimal
			code = code&0x20 | ('G' + s.next()%20)
		default:
			code = code&0x20 | ('A' + s.next()%26)
		}
		b = append(b, f.invalid(code))
		if kind == spec.EntityIP && !f.colons && f.at == 0 { // no byte has three digits from 300 on
			b = append(b, '0'+s.next()%10, '0'+s.next()%10)
			for k+1 < m.end && r.w.digitAt(k+1) {
				k++
			}
		}
		f.at++
	}
	return b
}

// form is how far the writing of a value has come.
type form struct {
	kind   spec.EntityKind
	n, at  int  // letters and digits: all, and before this one
	colons bool // the number is hexadecimal
	domain bool // of an address: behind the '@'
	label  bool // a label of the domain other than the first begins
	group  bool // a group of a number other than the first begins
}

// separator takes in a character that is neither letter nor digit.
func (f *form) separator(code byte) {
	f.domain = f.domain || code == '@'
	f.label = f.domain && code == '.'
	f.group = f.kind != spec.EntityEmail && f.kind != spec.EntityIP && f.kind != spec.EntityMAC
}

// invalid returns what stands in place of a letter or digit so that the value cannot be
// valid: numbers that no authority assigns and characters that the alphabet lacks.
func (f *form) invalid(code byte) byte {
	first := f.at == 0 || f.group // no number begins within this one and goes on behind it
	label := f.label
	f.label, f.group = false, false
	switch f.kind {
	case spec.EntityPhone: // 10 and 11 begin no mobile number
		switch f.at - (f.n - 11) {
		case 0:
			return '1'
		case 1:
			return '0' + code&1
		}
		first = first && (f.at > 0 || f.n > 11)
	case spec.EntityPhoneUS: // area codes begin with 2 to 9
		if f.at == f.n-10 {
			return '1'
		}
		first = first && (f.at > 0 || f.n > 10)
	case spec.EntityEmail: // top-level domains are letters
		if label {
			return '0' + code%10
		}
		first = false
	case spec.EntityLandline, spec.EntitySSN: // no area begins with 00, none is 000
		first = first || f.at < 2 || f.at == 2 && f.kind == spec.EntitySSN
	case spec.EntityPassport, spec.EntityPermit: // X begins none, and eight digits are a permit
		if f.at == 0 || f.at == f.n/2 {
			return 'X'
		}
	case spec.EntityIBAN: // XX is no country
		if f.at < 2 {
			return 'X'
		}
	}
	return f.invalidAt(code, first)
}

// invalidAt is invalid for a place that is the same in all values of the kind, or for the
// first digit: no country code, region or card network begins with 0.
func (f *form) invalidAt(code byte, first bool) byte {
	switch {
	case f.kind == spec.EntityPlate && f.at == 0, f.kind == spec.EntityUSCC && (f.at == 4 || f.at == 8):
		return 'I'
	case f.kind == spec.EntityVIN && f.at == 2:
		return 'Q'
	case f.kind == spec.EntityTWID && f.at == 1:
		return '0'
	case f.kind == spec.EntityIP && first && !f.colons:
		return '3'
	case f.colons && first:
		return 'g' + code%20
	case first && code-'0' < 10:
		return '0'
	}
	return code
}
