package redact

// matchIP finds an IPv4 address in dotted decimal (RFC 3986, 3.2.2: no leading
// zeros) or an IPv6 address (RFC 4291, 2.2). Loopback and unspecified addresses
// and netmasks are nobody's. Four small numbers are a version more often than
// an address and ask for a context word; so does an IPv6 address whose block is
// not in use.
func matchIP(w *window, i int) (span, uint8, bool) {
	if w.at(i+4) == ':' || w.at(i+3) == ':' || w.at(i+2) == ':' || w.at(i+1) == ':' || w.at(i) == ':' {
		return matchIPv6(w, i)
	}
	if w.fraction(i) {
		return miss()
	}
	end, octets := w.dottedQuad(i)
	if end == 0 || w.alnumAt(i-1) || w.at(end) == '.' && w.digitAt(end+1) {
		return miss()
	}
	first := octets[0]
	switch after := w.at(end); {
	case first == 0 || first == 255, w.literal(i, "127.0.0.1") && end == i+9:
		return miss()
	case w.alnumAt(end) || after == '_' || after == '+', after == '-' && w.letterAt(end+1):
		return miss() // a version: 1.2.3.4-rc1
	case w.at(i-1) == '/' && w.alnumAt(i-2) || w.at(i-1) == '-' && w.letterAt(i-2):
		return miss() // a product: Chrome/49.0.2.1
	case w.at(i-1) == '@' && w.letterAt(i-2) && first < 32:
		return miss() // a package: name@1.2.3.4
	}
	if first == 10 || max(octets[0], octets[1], octets[2], octets[3]) >= 32 {
		return hit(i, end, 70)
	}
	return hit(i, end, 40)
}

// dottedQuad reads an IPv4 address at i. It returns the unit behind it, or 0.
func (w *window) dottedQuad(i int) (end int, octets [4]int) {
	for k := range octets {
		if k > 0 {
			if w.at(i) != '.' {
				return 0, octets
			}
			i++
		}
		n := 0
		for n < 4 && w.digitAt(i+n) {
			n++
		}
		if n == 0 || n > 3 || n > 1 && w.code[i] == '0' {
			return 0, octets
		}
		if octets[k] = w.value(i, n); octets[k] > 255 {
			return 0, octets
		}
		i += n
	}
	return i, octets
}

// matchIPv6 finds an IPv6 address at i; colons may stand before i that belong to
// it.
func matchIPv6(w *window, i int) (span, uint8, bool) {
	if w.at(i) == ':' {
		if w.at(i+1) != ':' || w.alnumAt(i-1) || w.at(i-1) == ':' || !w.dotted(i+2) {
			return miss()
		}
	} else if w.at(i-1) == ':' || w.alnumAt(i-1) {
		return miss()
	}
	var a address6
	end := a.read(w, i)
	if end == 0 || w.alnumAt(end) || w.at(end) == ':' && w.alnumAt(end+1) {
		return miss()
	}
	switch {
	case a.first == 0 && !a.quad:
		return miss() // ::, ::1
	case a.inUse() || a.quad:
		return hit(i, end, 85)
	}
	return hit(i, end, 40)
}

// dotted says whether a dot stands behind the hexadecimal digits and colons at i: what begins
// with "::" and is somebody's ends in dotted decimal.
func (w *window) dotted(i int) bool {
	code := w.code[:w.n]
	for i < len(code) && (props[code[i]]&(isDigit|isHex) != 0 || code[i] == ':') {
		i++
	}
	return i < len(code) && code[i] == '.'
}

// address6 is what was read of an IPv6 address.
type address6 struct {
	groups  int  // of 16 bits
	gap     bool // "::" was read
	quad    bool // the last two groups are in dotted decimal
	wide    bool // a group has more than two digits
	decimal bool // a digit of 0 to 9 was read
	first   int  // the first group
}

// inUse says whether the address is global unicast, unique local, link local or
// multicast, and long enough to be no time and no name in code.
func (a *address6) inUse() bool {
	switch {
	case !a.wide || !a.decimal:
		return false
	case a.first>>13 == 1, a.first>>9 == 0xFC>>1, a.first>>6 == 0xFE80>>6, a.first>>8 == 0xFF:
		return true
	}
	return a.first == 0x64
}

// read reads an address at i and returns the unit behind it, or 0.
func (a *address6) read(w *window, i int) int {
	for more := true; more; {
		if w.literal(i, "::") {
			if a.gap {
				return 0
			}
			a.gap = true
			if i += 2; !w.hexAt(i) {
				break
			}
		}
		end := a.group(w, i)
		if end == 0 {
			return 0
		}
		if i = end; a.quad || w.at(i) != ':' || a.groups >= 8 {
			break
		}
		if w.at(i+1) != ':' {
			if more = w.hexAt(i + 1); more {
				i++
			}
		}
	}
	if a.groups == 8 || a.gap && a.groups < 8 {
		return i
	}
	return 0
}

// group reads a group of an address at i, or its last two in dotted decimal. It
// returns the unit behind it, or 0.
func (a *address6) group(w *window, i int) int {
	if end, _ := w.dottedQuad(i); end > 0 && a.groups <= 6 {
		a.groups, a.quad = a.groups+2, true
		return end
	}
	n, value := 0, 0
	for n < 5 && w.hexAt(i+n) {
		value = value<<4 | int(hexValue[w.code[i+n]])
		a.decimal = a.decimal || w.digitAt(i+n)
		n++
	}
	if n == 0 || n > 4 {
		return 0
	}
	if a.groups == 0 && !a.gap {
		a.first = value
	}
	a.wide = a.wide || n > 2
	a.groups++
	return i + n
}
