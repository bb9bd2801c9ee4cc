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

// replaceNumber replaces a number; separators stay where they are.
func (r *Redactor) replaceNumber(src []byte, m span, kind spec.EntityKind) {
	r.counts[kind]++
	r.w.floor = m.end
	if r.rules.mode[kind] == spec.RedactTag {
		r.replace(src, m.start, m.end, tags[kind])
		return
	}
	for i := m.lo; i < m.hi; {
		j := i
		for j < m.hi && props[r.w.code[j]]&isSep == 0 {
			j++
		}
		r.mask(src, i, j)
		i = j + 1
	}
}

// replaceEmail replaces an address. A mask hides the local part but for its
// first character; the domain is then searched on for numbers.
func (r *Redactor) replaceEmail(src []byte, m address) {
	r.counts[spec.EntityEmail]++
	if r.rules.mode[spec.EntityEmail] == spec.RedactTag {
		r.w.floor = m.end
		r.replace(src, m.start, m.end, tags[spec.EntityEmail])
		return
	}
	r.w.floor = m.at + 1
	if m.at-m.start > 1 {
		m.start++
	}
	r.mask(src, m.start, m.at)
}

// mask writes a star for each of the units [start, end).
func (r *Redactor) mask(src []byte, start, end int) {
	if start >= end {
		return
	}
	r.write(src[r.from:r.w.start[start]])
	r.write(stars[:end-start])
	r.from = int(r.w.end[end-1])
}

// replace writes text in place of the units [start, end).
func (r *Redactor) replace(src []byte, start, end int, text string) {
	r.write(src[r.from:r.w.start[start]])
	r.write(unsafe.Slice(unsafe.StringData(text), len(text))) // its memory is never written
	r.from = int(r.w.end[end-1])
}

// write hands p to the output unless that has failed before.
func (r *Redactor) write(p []byte) {
	if r.err == nil && len(p) > 0 {
		r.err = r.out.Write(p)
	}
}
