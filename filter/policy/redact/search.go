package redact

// Classes of raw bytes: what a byte asks of the search for the next run.
// classPlain, ordinary text, is skipped at the speed of a table.
const (
	classPlain   uint8 = iota
	classDigit         // a number begins
	classAt            // an address is around here
	classLiteral       // a rare byte of a literal
	classEscape        // a backslash or a percent sign, perhaps with a character encoded
	classWide          // UTF-8 that may fold to something
)

// searchBack is how many bytes before what opens a run are read as part of it:
// the longest local part and what is looked at before it.
const searchBack = maxLocal + lookBehind

// search looks for the next run of p from offset i on that may hold a match or
// is cut off by the end of p. It returns where to begin reading units: before
// that, nothing in p can be part of a match.
func (r *Redactor) search(p []byte, i int) (start int, found bool) {
	low := i // the current run does not begin before it
	for {
		if i = skipPlain(&r.rules.class, p, i); i == len(p) {
			break
		}
		switch r.rules.class[p[i]] {
		case classDigit:
			end := r.rules.skim(p, i, low)
			if end == i {
				return back(p, i, low), true
			}
			i = end
		case classAt:
			return back(p, i, low), true
		case classLiteral:
			if r.rules.literalAt(p, i, low) {
				return back(p, i, low), true
			}
			i++
		default:
			code, size := decode(p[i:])
			if code == '%' && size == 1 {
				i++
				continue
			}
			if size == 0 || opens(p, i, low, code) {
				return back(p, i, low), true
			}
			i += size
			low = i
		}
	}
	start = back(p, wholeEnd(p, low), low)
	return start, start < len(p)
}

// opens says whether a character that is spelled in more than one byte at i may be
// part of a match.
func opens(p []byte, i, low int, code byte) bool {
	f := props[code]
	switch {
	case f&(isRun|isStart) != 0:
		return true
	case i == low:
		return false
	case code == codeIgnore:
		return props[asciiCode[p[i-1]]]&(isRun|isSep) != 0 || provinceBefore(p, i, low)
	case f&isSep != 0:
		return props[asciiCode[p[i-1]]]&(isDigit|isLetter|isSep) != 0
	}
	return false
}

// skipPlain returns the offset of the first byte from i on that is not plain.
func skipPlain(class *[256]uint8, p []byte, i int) int {
	for i+4 <= len(p) {
		q := p[i : i+4 : i+4]
		if class[q[0]]|class[q[1]]|class[q[2]]|class[q[3]] != 0 {
			break
		}
		i += 4
	}
	for i < len(p) && class[p[i]] == classPlain {
		i++
	}
	return i
}

// back returns where the run that reaches offset i begins, as far as it
// matters, but not before low. What is read backwards is ordinary ASCII, one unit
// each, and perhaps a province at its front.
func back(p []byte, i, low int) int {
	first := max(low, i-searchBack)
	for i > first {
		f := props[asciiCode[p[i-1]]]
		if f&isRun == 0 && (f&isSep == 0 || !joins(p[first:i])) {
			break
		}
		i--
	}
	if i > low && p[i-1] == '(' {
		return i - 1
	}
	if provinceBefore(p, i, low) {
		return i - 3
	}
	return i
}

// provinceBefore says whether the province of a plate ends before offset i.
func provinceBefore(p []byte, i, low int) bool {
	if i-3 < low || !isHan(p[i-3]) {
		return false
	}
	code, size := decode(p[i-3:])
	return size == 3 && code == codePlate
}

// joins says whether the separators at the end of p may stand in the midst of a
// run: behind a digit, an upper-case letter or the name of a scheme.
func joins(p []byte) bool {
	i := len(p) - 1
	for i > 0 && len(p)-i < maxSeps+1 && props[asciiCode[p[i]]]&isSep != 0 {
		i--
	}
	f := props[asciiCode[p[i]]]
	return f&(isDigit|isUpper) != 0 || i == len(p)-2 && p[i+1] == ' ' && (p[i]|0x20 == 'r' || p[i]|0x20 == 'c')
}

// wholeEnd returns the end of p without a character of three bytes that is cut off,
// if that may stand on a plate.
func wholeEnd(p []byte, low int) int {
	n := len(p)
	for i := n - 1; i >= max(low, n-2); i-- {
		if isHan(p[i]) {
			return i
		}
	}
	return n
}
