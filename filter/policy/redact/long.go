package redact

import (
	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/sha256"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// long is a match that goes on beyond the window.
type long struct {
	kind spec.EntityKind
	mode spec.RedactionMode
	from int  // of the value in the vault
	lost bool // it cannot be kept there
	mask [8]byte
	n    int         // bytes of the mask
	mac  sha256.HMAC // of what was read of the value
	text [2]jsonscan.Unescaper
}

// openLong takes a match of which m is in the window and the rest follows. What stands
// in its place is written when it ends.
func (r *Redactor) openLong(src []byte, kind spec.EntityKind, m span) {
	l, of := &r.long, r.of
	r.counts[kind]++
	of.found(r.rules.direction, kind, r.rules.mode[kind])
	r.w.floor = m.end
	l.kind, l.mode = kind, r.rules.mode[kind]
	l.n = copy(l.mask[:], r.secretMask(kind, m))
	if of.keys == nil && (l.mode == spec.RedactHMAC || l.mode == spec.RedactToken) {
		l.mode = spec.RedactTag
	}
	if of.keys != nil {
		l.mac = of.keys.values
		of.keys.begin(&l.mac, kind)
		l.mac.Write(r.canonical(of.keys.text[:0], src, kind, m))
	}
	if l.mode == spec.RedactToken {
		v := of.open()
		l.from, l.text = v.used, [2]jsonscan.Unescaper{}
		l.lost = !v.add(r.appendText(of.keys.text[:0], src, m))
	}
	if l.mode == spec.RedactDetect {
		r.write(src[r.from:r.w.end[m.end-1]])
	} else {
		r.write(src[r.from:r.w.start[m.start]])
	}
	r.from = int(r.w.end[m.end-1])
}

// swallow takes more raw bytes of the match.
func (r *Redactor) swallow(raw []byte) {
	l := &r.long
	if r.of.keys != nil {
		l.mac.Write(raw)
	}
	switch l.mode {
	case spec.RedactDetect:
		r.write(raw)
	case spec.RedactToken:
		l.lost = l.lost || !r.keepText(raw)
	}
}

// keepText adds raw bytes of the match to the value that is about to be kept, as text
// without the escapes. It says whether there is room.
//
//go:noinline
func (r *Redactor) keepText(raw []byte) bool {
	v, l := r.of.vault, &r.long
	if r.escapes == 0 {
		return v.add(raw)
	}
	for len(raw) > 0 {
		n := min(len(raw), len(r.room)/2)
		text := raw[:n]
		if r.escapes > 1 {
			text, _ = l.text[1].Append(r.room[:0], text)
		}
		out, full := l.text[0].Append(v.text[v.used:v.used], text)
		if full {
			return false
		}
		v.added(v.used + len(out))
		raw = raw[n:]
	}
	return true
}

// closeLong ends the match.
func (r *Redactor) closeLong() {
	l, keys := &r.long, r.of.keys
	if keys != nil {
		l.mac.Sum(&keys.sum)
		r.know(l.kind)
	}
	switch l.mode {
	case spec.RedactDetect:
	case spec.RedactMask:
		r.insert(l.mask[:l.n])
	case spec.RedactToken:
		r.insert(r.token(l.kind, r.keepLong()))
	default:
		r.insert(r.text(l.kind, l.mode))
	}
}

// keepLong keeps the value that was read into the vault, and returns its number or -1.
func (r *Redactor) keepLong() int {
	l, v := &r.long, r.of.vault
	id := r.of.keys.identity()
	i := v.find(l.kind, id)
	if i < 0 && !l.lost {
		if i = r.of.keep(l.kind, l.from, id); i >= 0 {
			return i
		}
	}
	v.drop(l.from)
	return i
}
