package redact

import "github.com/weirmesh/weir/filter/policy/spec"

// hmacBytes is how much of a code stands in the text of mode hmac: 40 bits, so that
// among a million values half the time no two have the same.
const hmacBytes = 5

// replace does with a match in the window what the rules say.
func (r *Redactor) replace(src []byte, kind spec.EntityKind, m span) {
	r.counts[kind]++
	r.of.found(r.rules.direction, kind, r.rules.mode[kind])
	r.w.floor = m.end
	mode := r.rules.mode[kind]
	if r.of.wantsDigest() || mode == spec.RedactHMAC || mode == spec.RedactToken || mode == spec.RedactFormat {
		if r.of.keys == nil {
			mode = spec.RedactTag
		} else {
			r.identify(src, kind, m)
			r.know(kind)
		}
	}
	switch mode {
	case spec.RedactDetect:
	case spec.RedactMask:
		r.mask(src, kind, m)
	case spec.RedactToken:
		r.tokenize(src, kind, m)
	case spec.RedactFormat:
		r.put(src, m, r.reformat(src, kind, m))
	default:
		r.put(src, m, r.text(kind, mode))
	}
}

// know keeps the digest of the value that was identified, if it is wanted.
func (r *Redactor) know(kind spec.EntityKind) {
	if r.of.wantsDigest() {
		r.of.know(r.rules, kind, &r.of.keys.sum)
	}
}

// text returns what is written in place of a value that was identified.
func (r *Redactor) text(kind spec.EntityKind, mode spec.RedactionMode) []byte {
	tag := tags[kind]
	switch mode {
	case spec.RedactDrop:
		return nil
	case spec.RedactHMAC:
		b := append(append(r.room[:0], tag[:len(tag)-1]...), ':')
		return append(appendLetters(b, r.of.keys.sum[:hmacBytes]), '>')
	}
	return view(tag)
}

// tokenize keeps a value that was identified, unless it is kept already, and writes its
// token.
func (r *Redactor) tokenize(src []byte, kind spec.EntityKind, m span) {
	keys, v := r.of.keys, r.of.open()
	id := keys.identity()
	i := v.find(kind, id)
	if i < 0 {
		from := v.used
		if v.add(r.appendText(keys.text[:0], src, m)) {
			i = r.of.keep(kind, from, id)
		}
		if i < 0 {
			v.drop(from)
		}
	}
	r.put(src, m, r.token(kind, i))
}

// token returns the token of a value that is kept. If it is not, i is negative, and the
// rules say whether that is an error; its tag is safe either way.
func (r *Redactor) token(kind spec.EntityKind, i int) []byte {
	if i >= 0 {
		return r.of.vault.appendToken(r.room[:0], i)
	}
	if r.rules.failure == spec.FailClosed && r.err == nil {
		r.err = ErrVaultFull
	}
	return view(tags[kind])
}

// put writes text in place of a match.
func (r *Redactor) put(src []byte, m span, text []byte) {
	r.write(src[r.from:r.w.start[m.start]])
	r.insert(text)
	r.from = int(r.w.end[m.end-1])
}

// emit hands p to the output unless that has failed before.
func (r *Redactor) emit(p []byte) {
	if r.err == nil && len(p) > 0 {
		r.err = r.out.Write(p)
	}
}
