package plugin

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
