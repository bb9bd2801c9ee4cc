package engine

import (
	"math/bits"
	"unsafe"

	"github.com/weirmesh/weir/filter/policy/jsonscan"
)

// view is b as a string without a copy, valid while b is not changed: TinyGo
// allocates for string(b) even where it is only compared.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf is s without a copy. Nobody may change it.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// text is a bounded string that a stream remembers: fixed memory, no pointers.
type text struct {
	n    uint16
	over bool // it was longer than its memory
	data [textBytes]byte
}

// textBytes bounds the names and values that a stream remembers: tenants, users,
// model names.
const textBytes = 512

func (t *text) reset()        { t.n, t.over = 0, false }
func (t *text) bytes() []byte { return t.data[:t.n] }
func (t *text) set(p []byte) {
	t.n, t.over = uint16(copy(t.data[:], p)), len(p) > textBytes
}

// append appends bytes as they are.
func (t *text) append(p []byte) {
	n := copy(t.data[t.n:], p)
	t.n += uint16(n)
	t.over = t.over || n < len(p)
}

// unescape appends the text of raw JSON string content.
func (t *text) unescape(u *jsonscan.Unescaper, raw []byte) {
	if t.over {
		return
	}
	out, full := u.Append(t.data[:t.n], raw)
	t.n, t.over = uint16(len(out)), full
}

func (t *text) finish(u *jsonscan.Unescaper) {
	if t.over {
		return
	}
	out, full := u.Finish(t.data[:t.n])
	t.n, t.over = uint16(len(out)), full
}

// percentDecode copies src to dst with its %XX decoded (RFC 3986 section 2.1). It
// returns false if that does not fit, or for a percent sign without two digits.
func percentDecode(dst *text, src string) bool {
	dst.reset()
	for i := 0; i < len(src); i++ {
		c := src[i]
		if c == '%' {
			if i+2 >= len(src) {
				return false
			}
			hi, ok1 := hexValue(src[i+1])
			lo, ok2 := hexValue(src[i+2])
			if !ok1 || !ok2 {
				return false
			}
			c = hi<<4 | lo
			i += 2
		}
		if int(dst.n) == textBytes {
			return false
		}
		dst.data[dst.n] = c
		dst.n++
	}
	return true
}

func hexValue(c byte) (byte, bool) {
	switch {
	case c-'0' < 10:
		return c - '0', true
	case c|0x20-'a' < 6:
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

func hasPrefix(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }

// equalFold compares with an ASCII lower-case string.
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c-'A' < 26 {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c-'0' < 10 }

// parseCount reads a whole number of decimal digits alone, at most high.
func parseCount(s []byte, high int64) (int64, bool) {
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range s {
		if !isDigit(c) {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, n <= high
}

// parseTemperature reads a JSON number (RFC 8259 section 6) in thousandths, rounded
// up. It returns false for what is no number, is below zero or above
// maxTemperature.
func parseTemperature(s []byte) (int64, bool) {
	const high = maxTemperature
	var mantissa, scale int64 // value = mantissa x 10^(scale-3)
	scale = 3
	i, sticky, fraction, digits := 0, false, false, 0
	for ; i < len(s) && (isDigit(s[i]) || s[i] == '.' && !fraction); i++ {
		if s[i] == '.' {
			fraction = true
			continue
		}
		digits++
		if mantissa < 1e16 {
			mantissa = mantissa*10 + int64(s[i]-'0')
		} else {
			sticky = sticky || s[i] != '0'
			scale++
		}
		if fraction {
			scale--
		}
	}
	if digits == 0 {
		return 0, false
	}
	if i < len(s) {
		e, ok := parseExponent(s[i:])
		if !ok {
			return 0, false
		}
		scale += e
	}
	for ; scale > 0 && mantissa > 0; scale-- {
		if mantissa > high {
			return 0, false
		}
		mantissa *= 10
	}
	for ; scale < 0 && mantissa > 0; scale++ {
		sticky = sticky || mantissa%10 != 0
		mantissa /= 10
	}
	if sticky {
		mantissa++
	}
	return mantissa, mantissa <= high
}

// parseExponent reads e and a number, cut at a thousand.
func parseExponent(s []byte) (int64, bool) {
	if s[0]|0x20 != 'e' || len(s) < 2 {
		return 0, false
	}
	s = s[1:]
	sign := int64(1)
	if s[0] == '-' || s[0] == '+' {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	if len(s) == 0 {
		return 0, false
	}
	var e int64
	for _, c := range s {
		if !isDigit(c) {
			return 0, false
		}
		e = min(e*10+int64(c-'0'), 1000)
	}
	return sign * e, true
}

const (
	millisecond = int64(1_000_000)
	second      = 1000 * millisecond
)

// ceilDiv is a/b rounded up, for a >= 0.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 {
		q++
	}
	return q
}

// appendDuration writes nanoseconds as OpenAI's servers write the reset times of
// limits, rounded up: 12ms, 1.25s, 6m0s, 1h0m0s.
func appendDuration(dst []byte, ns int64) []byte {
	ms := ceilDiv(max(ns, 0), millisecond)
	if ms < 1000 {
		return append(jsonscan.AppendInt(dst, ms), "ms"...)
	}
	if ms < 60_000 {
		dst = jsonscan.AppendInt(dst, ms/1000)
		if rest := ms % 1000; rest != 0 {
			digits := [4]byte{'.', byte('0' + rest/100), byte('0' + rest/10%10), byte('0' + rest%10)}
			n := len(digits)
			for digits[n-1] == '0' {
				n--
			}
			dst = append(dst, digits[:n]...)
		}
		return append(dst, 's')
	}
	s := ceilDiv(ms, 1000)
	if s >= 3600 {
		dst = append(jsonscan.AppendInt(dst, s/3600), 'h')
	}
	dst = append(jsonscan.AppendInt(dst, s/60%60), 'm')
	return append(jsonscan.AppendInt(dst, s%60), 's')
}

// scaled is a x b / c, rounded down, saturating, for a, b >= 0 and c > 0.
func scaled(a, b, c int64) int64 {
	const most = 1<<63 - 1
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi >= uint64(c) {
		return most
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(min(q, most))
}
