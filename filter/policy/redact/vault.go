package redact

import (
	"encoding/binary"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// Bounds of a vault.
const (
	maxTokens     = 64
	maxTokenBytes = 8 << 10 // of all values
	codeLetters   = 8
)

// Error is a reason why redaction cannot go on.
type Error uint8

// ErrVaultFull is returned where a request has more values for mode token than a
// session keeps, or one that cannot be restored.
const ErrVaultFull Error = 1

func (Error) Error() string { return "too many values to be restored" }

// vault keeps the values that tokens stand for, of one request.
type vault struct {
	next  *vault // in Keys.free
	n     int
	used  int
	first uint32 // letters with which the names of the kinds begin
	plain bool   // no value needs an escape, however deep in JSON its token stands
	kept  [maxTokens]kept
	text  [maxTokenBytes]byte
}

// identity is what one value has and no other, however it is spelled.
type identity uint64

// identity returns that of the value at hand.
func (k *Keys) identity() identity { return identity(binary.LittleEndian.Uint64(k.sum[16:])) }

// kept is a value in a vault.
type kept struct {
	kind     spec.EntityKind
	from, to uint16 // in the text
	id       identity
	code     [codeLetters]byte
}

// reset forgets all values.
func (v *vault) reset() {
	clear(v.text[:v.used])
	v.n, v.used, v.first, v.plain = 0, 0, 0, true
}

// open gives the session a vault.
func (s *Session) open() *vault {
	if s.vault == nil {
		if s.vault = s.keys.free; s.vault == nil {
			s.vault = &vault{plain: true}
		} else {
			s.keys.free = s.vault.next
		}
	}
	return s.vault
}

// find returns the number of a value that is kept, or -1.
func (v *vault) find(kind spec.EntityKind, id identity) int {
	for i := range v.kept[:v.n] {
		if k := &v.kept[i]; k.kind == kind && k.id == id {
			return i
		}
	}
	return -1
}

// add appends text to the value that is about to be kept. It says whether there is room.
func (v *vault) add(text []byte) bool {
	if len(text) > maxTokenBytes-v.used {
		return false
	}
	v.added(v.used + copy(v.text[v.used:], text))
	return true
}

// added takes in what was appended to the value, up to offset end.
//
//go:noinline
func (v *vault) added(end int) {
	for _, c := range v.text[v.used:end] {
		if c < ' ' || c == '"' || c == '\\' {
			v.plain = false
		}
	}
	v.used = end
}

// keep keeps what was added since from and returns its number, or -1 if there is no
// room. The code of its token is drawn so that nobody can guess it.
func (s *Session) keep(kind spec.EntityKind, from int, id identity) int {
	v := s.vault
	if v.n == maxTokens {
		return -1
	}
	k := &v.kept[v.n]
	k.kind, k.from, k.to, k.id = kind, uint16(from), uint16(v.used), id
	s.keys.draw(&k.code)
	v.first |= 1 << (tags[kind][1] - 'A')
	v.n++
	return v.n - 1
}

// drop takes back what was added since from.
func (v *vault) drop(from int) {
	clear(v.text[from:v.used])
	v.used = from
}

// value returns what a token stands for.
func (v *vault) value(i int) []byte { return v.text[v.kept[i].from:v.kept[i].to] }

// letters are those of codes, 4 bits each: no vowels, so that they make no words, and
// no digits, so that they make no number.
const letters = "bcdfghjklmnpqrst"

// draw makes a code that was never there before.
func (k *Keys) draw(code *[codeLetters]byte) {
	k.drawn++
	sum := &k.sum
	for i := range 8 {
		sum[i] = byte(k.drawn >> (8 * i))
	}
	k.codes.Write(sum[:8])
	k.codes.Sum(sum)
	appendLetters(code[:0], sum[:codeLetters/2])
}

// appendLetters appends two letters for each byte.
func appendLetters(b, bytes []byte) []byte {
	for _, c := range bytes {
		b = append(b, letters[c>>4], letters[c&15])
	}
	return b
}

// appendToken appends the token of a value: [EMAIL_1_kdmfrtbc].
func (v *vault) appendToken(b []byte, i int) []byte {
	k := &v.kept[i]
	tag := tags[k.kind]
	b = append(append(append(b, '['), tag[1:len(tag)-1]...), '_')
	if i >= 9 {
		b = append(b, '0'+byte((i+1)/10))
	}
	b = append(append(b, '0'+byte((i+1)%10), '_'), k.code[:]...)
	return append(b, ']')
}
