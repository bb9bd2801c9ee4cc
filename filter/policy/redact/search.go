package redact

// searchBack is how many bytes before what opens a run are read as part of it:
// the longest local part and its context.
const searchBack = maxLocal + contextUnits

// search looks for the next run of p from offset i on that may hold a match or
// is cut off by the end of p. It returns where to begin reading units: before
// that, nothing in p can be part of a match. The bytes of a run that are read
// backwards are ordinary ASCII, one unit each.
func (r *Redactor) search(p []byte, i int) (start int, found bool) {
	low := i // the current run does not begin before it
	for {
		if i = skipPlain(&r.rules.class, p, i); i == len(p) {
			break
		}
		switch r.rules.class[p[i]] {
		case classDigit:
			end := r.shortNumber(p, i)
			if end == i {
				return back(p, i, low), true
			}
			i = end
		case classAt:
			return back(p, i, low), true
		default:
			code, size := decode(p[i:])
			if code == '%' && size == 1 {
				i++
				continue
			}
			inRun := i > low && props[asciiCode[p[i-1]]]&isRun != 0
			if size == 0 || props[code]&isRun != 0 || code == codeIgnore && inRun {
				return back(p, i, low), true
			}
			i += size
			low = i
		}
	}
	start = back(p, len(p), low)
	return start, start < len(p)
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

// shortNumber returns the offset behind the groups of digits at i if they are
// too few for a match whatever follows, and i otherwise.
func (r *Redactor) shortNumber(p []byte, i int) int {
	digits, afterDigit := 0, false
	for j := i; j < len(p); j++ {
		c := p[j]
		switch {
		case c-'0' < 10:
			if digits++; digits >= r.rules.minDigits {
				return i
			}
			afterDigit = true
		case (c == ' ' || c == '-') && afterDigit:
			afterDigit = false
		case r.rules.class[c] < classEscape:
			return j
		default:
			code, size := decode(p[j:])
			if size > 0 && code == codeBreak || size == 1 && code == '%' {
				return j
			}
			return i
		}
	}
	return i
}

// back returns where the run that reaches offset i begins, as far as it
// matters, but not before low.
func back(p []byte, i, low int) int {
	low = max(low, i-searchBack)
	for i > low && props[asciiCode[p[i-1]]]&isRun != 0 {
		i--
	}
	return i
}
