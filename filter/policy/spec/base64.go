package spec

// The alphabet of RFC 4648, section 4.
const base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// base64Values holds one more than the value of each letter.
var base64Values = func() (t [256]uint8) {
	for i := range len(base64Letters) {
		t[base64Letters[i]] = uint8(i + 1)
	}
	return t
}()

// base64 reads bytes that are written as a string in base64 with padding, into memory of
// r.tables.
func (r *reader) base64() []byte {
	if !r.expect('"', "a string") {
		return nil
	}
	raw, _ := r.raw()
	n := len(raw)
	for n > 0 && len(raw)-n < 2 && raw[n-1] == '=' {
		n--
	}
	if len(raw)%4 != 0 || len(raw) == 0 {
		r.fail("must be base64 with its padding")
		return nil
	}
	b, bits, have := r.tables.take(n*3/4), uint32(0), 0
	for _, c := range raw[:n] {
		v := base64Values[c]
		if v == 0 {
			r.fail("must be base64")
			return nil
		}
		bits, have = bits<<6|uint32(v-1), have+6
		if have >= 8 {
			have -= 8
			b = append(b, byte(bits>>have))
		}
	}
	if have > 0 && bits<<(32-have) != 0 {
		r.fail("must be base64 without bits behind its end")
		return nil
	}
	return b
}

// base64 writes bytes as a string, nothing for none.
func (w *writer) base64(name string, b []byte) {
	if len(b) == 0 {
		return
	}
	w.key(name)
	w.out = append(w.out, '"')
	for ; len(b) >= 3; b = b[3:] {
		v := uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
		w.out = append(w.out, base64Letters[v>>18], base64Letters[v>>12&63], base64Letters[v>>6&63], base64Letters[v&63])
	}
	switch len(b) {
	case 1:
		w.out = append(w.out, base64Letters[b[0]>>2], base64Letters[b[0]&3<<4], '=', '=')
	case 2:
		w.out = append(w.out, base64Letters[b[0]>>2], base64Letters[b[0]&3<<4|b[1]>>4], base64Letters[b[1]&15<<2], '=')
	}
	w.out = append(w.out, '"')
}
