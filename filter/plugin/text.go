package plugin

import "unsafe"

// view is b as a string without a copy, valid while b is: TinyGo allocates for
// string(b) even where it is only compared.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// appendDecimal appends n in decimal digits (strconv costs 53 KB of module).
func appendDecimal(b []byte, n uint64) []byte {
	var digits [20]byte
	at := len(digits)
	for {
		at--
		digits[at] = byte('0' + n%10)
		n /= 10
		if n == 0 {
			return append(b, digits[at:]...)
		}
	}
}
