package redact

import (
	"unsafe"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// stars is what masked characters become, one for each.
var stars = func() (s [maxLocal]byte) {
	for i := range s {
		s[i] = '*'
	}
	return s
}()

// replace replaces a match. A mask leaves separators where they are.
func (r *Redactor) replace(src []byte, kind spec.EntityKind, m span) {
	r.counts[kind]++
	r.w.floor = m.end
	if r.rules.mode[kind] == spec.RedactTag {
		r.put(src, m, tags[kind])
		return
	}
	i, end := r.hidden(kind, m)
	if kind == spec.EntityEmail {
		r.w.floor = end + 1 // the domain is searched on for numbers
	}
	for i < end {
		j := i
		for j < end && (kind == spec.EntityEmail || props[r.w.code[j]]&isSep == 0) {
			j++
		}
		r.mask(src, i, j)
		i = j + 1
	}
}

// hidden returns what of a match a mask hides.
func (r *Redactor) hidden(kind spec.EntityKind, m span) (start, end int) {
	switch kind {
	case spec.EntityPhone:
		return r.w.digitsBefore(m.end, 8), r.w.digitsBefore(m.end, 4)
	case spec.EntityBankCard:
		return m.start, r.w.digitsBefore(m.end, 4)
	case spec.EntityResidentID:
		return m.start + 3, m.end - 2
	case spec.EntityEmail:
		at := m.start
		for r.w.code[at] != '@' {
			at++
		}
		return min(m.start+1, at-1), at
	}
	return m.start, m.end
}

// digitsBefore returns the unit with the n-th digit before unit i.
func (w *window) digitsBefore(i, n int) int {
	for n > 0 {
		i--
		if w.digitAt(i) {
			n--
		}
	}
	return i
}

// openLong replaces a match of which the window holds the beginning; the rest is
// swallowed.
func (r *Redactor) openLong(src []byte, kind spec.EntityKind, m span) {
	r.counts[kind]++
	r.w.floor = m.end
	r.put(src, m, tags[kind])
}

// swallow takes more of the match that is open.
func (r *Redactor) swallow([]byte) {}

// closeLong ends the match that is open.
func (r *Redactor) closeLong() {}

// mask writes a star for each of the units [start, end).
func (r *Redactor) mask(src []byte, start, end int) {
	if start >= end {
		return
	}
	r.write(src[r.from:r.w.start[start]])
	for n := end - start; n > 0; n -= len(stars) {
		r.write(stars[:min(n, len(stars))])
	}
	r.from = int(r.w.end[end-1])
}

// put writes text in place of a match.
func (r *Redactor) put(src []byte, m span, text string) {
	r.write(src[r.from:r.w.start[m.start]])
	r.write(unsafe.Slice(unsafe.StringData(text), len(text))) // its memory is never written
	r.from = int(r.w.end[m.end-1])
}

// write hands p to the output unless that has failed before.
func (r *Redactor) write(p []byte) {
	if r.err == nil && len(p) > 0 {
		r.err = r.out.Write(p)
	}
}
