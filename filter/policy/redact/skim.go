package redact

// skim reads on from the digit at i, of a run that begins at low or behind it. It
// returns the offset up to which there is nothing that begins with a digit, or
// holds one, and could match whatever follows, and i where there may be.
func (r *Rules) skim(p []byte, i, low int) int {
	s := skimmer{token: i, long: i}
	if s.before(p, i, low) || r.plate && plateBefore(p, i, low) {
		return i
	}
	for j := i; j < len(p); j++ {
		c := p[j]
		f := props[asciiCode[c]]
		switch {
		case f&isDigit != 0:
			if s.digits++; s.digits >= r.minDigits || s.digits >= groupedDigits && s.upper && s.gap {
				return i
			}
			continue
		case f&isLetter != 0:
			s.digits, s.upper, s.gap = 0, f&isUpper != 0, s.gap && f&isUpper != 0
		case r.class[c] >= classEscape:
			code, size := decode(p[j:])
			if size == 0 || code != codeBreak && (code != '%' || size != 1) {
				return i
			}
			return s.end(i, j)
		case f&(isRun|isSep) == 0:
			return s.end(i, j)
		case s.mark(p, j, c):
			return i
		case f&isRun == 0:
			if j+1 == len(p) {
				return i
			}
			if props[asciiCode[p[j+1]]]&(isDigit|isUpper|isSep) == 0 {
				return s.end(i, j)
			}
		}
		if k := r.class[c]; k == classAt || k == classLiteral && r.literalAt(p, j, low) {
			return i
		}
	}
	return i
}

// skimmer is what is known of the numbers and tokens at a digit.
type skimmer struct {
	token  int // where the current token of letters and digits begins
	long   int // the same, with '+' and '/' in it
	digits int // joined by separators alone
	dots   int // behind digits
	colons int
	upper  bool // the letters are in upper case
	gap    bool // there is a separator between them, or before or behind them
}

// groupedDigits is how many digits end a vehicle identification number, at least, which
// may stand in groups.
const groupedDigits = 4

// Lengths of tokens that may hold few digits in a row: a vehicle identification
// number and a secret key of AWS.
const (
	tokenLength = 17
	longLength  = 40
	usccLength  = 18
)

// before reads the token back from the digit at i. It says whether there is enough
// for an address of a machine: two marks between groups of hexadecimal digits.
func (s *skimmer) before(p []byte, i, low int) bool {
	marks := 0
	for k := i - 1; k >= low && k >= i-40; k-- {
		switch c := p[k]; {
		case c == ':' || c == '.' || c == '-':
			if marks++; marks == 2 {
				return true
			}
		case props[asciiCode[c]]&(isDigit|isHex) == 0:
			k = 0
		}
	}
	for s.token > low && s.token >= i-tokenLength && props[asciiCode[p[s.token-1]]]&(isDigit|isLetter) != 0 {
		s.token--
	}
	if s.token < i {
		s.upper = props[p[i-1]]&isUpper != 0
	}
	if s.token-2 >= low && props[asciiCode[p[s.token-1]]]&isSep != 0 {
		s.gap, s.upper = true, s.upper || props[asciiCode[p[s.token-2]]]&(isUpper|isSep) != 0
	}
	s.long = s.token
	for s.long > low && s.long >= i-longLength && inLong(p[s.long-1]) {
		s.long--
	}
	return false
}

// mark reads the mark c at j. It says whether the token before it, or its groups so
// far, are those of something.
func (s *skimmer) mark(p []byte, j int, c byte) bool {
	if s.whole(j, inLong(c)) {
		return true
	}
	s.token = j + 1
	s.gap = s.gap || props[c]&isSep != 0
	switch c {
	case '+', '/':
		// in a long token
	default:
		s.long = j + 1
	}
	switch c {
	case '.':
		if s.dots++; s.dots == 3 || j >= 5 && p[j-5] == '.' {
			return true
		}
	case ':':
		if s.colons++; s.colons == 2 {
			return true
		}
	case '-':
		if j >= 3 && p[j-3] == '-' {
			return true
		}
	case ' ':
		s.dots, s.colons = 0, 0
	default:
		if props[c]&isSep == 0 {
			s.digits = 0
		}
	}
	return false
}

// end returns j, where what is read ends, or i if its last token may be something.
func (s *skimmer) end(i, j int) int {
	if s.whole(j, false) {
		return i
	}
	return j
}

// whole says whether a token that ends at j, or only the shorter one, has a length
// that matters.
func (s *skimmer) whole(j int, goesOn bool) bool {
	return j-s.token == tokenLength || !goesOn && j-s.long == longLength
}

// inLong says whether c stands in long tokens.
func inLong(c byte) bool { return props[asciiCode[c]]&(isDigit|isLetter) != 0 || c == '+' || c == '/' }

// plateBefore says whether the digit at i may be the first one of a licence plate: a
// letter behind a wide character stands before its token, or begins it.
func plateBefore(p []byte, i, low int) bool {
	k := i
	for k > low && k > i-8 && props[asciiCode[p[k-1]]]&(isDigit|isLetter) != 0 {
		k--
	}
	gap := k
	for gap > low && k-gap < maxSeps && props[asciiCode[p[gap-1]]]&isSep != 0 {
		gap--
	}
	if gap < k {
		return gap-2 >= low && props[asciiCode[p[gap-1]]]&isLetter != 0 && p[gap-2] >= 0x80
	}
	return k < i && k > low && p[k-1] >= 0x80
}
