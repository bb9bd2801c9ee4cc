package redact

import (
	"unicode/utf8"
	"unsafe"

	"github.com/weirmesh/weir/filter/policy/sha256"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// Purposes of the codes that are made of values: each gives others.
const (
	forIdentity byte = iota
	forFormat
)

// identify leaves in keys.sum what stands for the value of a match: the same however it
// is spelled and grouped, in upper or lower case, with a country code or without one.
func (r *Redactor) identify(src []byte, kind spec.EntityKind, m span) *[sha256.Size]byte {
	keys := r.of.keys
	keys.values.Reset()
	keys.begin(&keys.values, kind)
	keys.values.Write(r.canonical(keys.text[:0], src, kind, m))
	keys.values.Sum(&keys.sum)
	return &keys.sum
}

// begin begins the code of a value.
func (k *Keys) begin(mac *sha256.HMAC, kind spec.EntityKind) {
	k.sum[0], k.sum[1] = forIdentity, byte(kind)
	mac.Write(k.sum[:2])
}

// canonical appends what makes the value: letters and digits without what groups them.
// In credentials, addresses and IP addresses everything counts, in credentials case too.
func (r *Redactor) canonical(b, src []byte, kind spec.EntityKind, m span) []byte {
	whole := secret(kind) || kind == spec.EntityEmail || kind == spec.EntityIP
	for k := m.start; k < m.end; k++ {
		switch code := r.w.code[k]; {
		case code-'A' < 26 && !secret(kind):
			b = append(b, code|0x20)
		case alnum(code), whole && code >= ' ' && code < 0x7F:
			b = append(b, code)
		case code < ' ' && code != codeDash || code >= 0x7F:
			b = r.appendRaw(b, src, k)
		}
	}
	if kind == spec.EntityPhone && len(b) > 11 {
		b = b[len(b)-11:]
	}
	return b
}

// appendText appends the match as text: as it is spelled, but without JSON's escapes.
func (r *Redactor) appendText(b, src []byte, m span) []byte {
	for k := m.start; k < m.end; k++ {
		b = r.appendRaw(b, src, k)
	}
	return b
}

// appendRaw appends the character that a unit is.
func (r *Redactor) appendRaw(b, src []byte, k int) []byte {
	raw, code := src[r.w.start[k]:r.w.end[k]], r.w.code[k]
	if raw[0] != '\\' {
		return append(b, raw...)
	}
	if code >= ' ' && code < 0x7F {
		return append(b, code)
	}
	var char rune
	for _, c := range raw[max(len(raw)-4, 0):] { // \uXXXX, however many backslashes stand before
		char = char<<4 | rune(hexValue[c]&15)
	}
	return utf8.AppendRune(b, char)
}

// view is a text as bytes that are not to be written.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
