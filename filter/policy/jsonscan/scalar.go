package jsonscan

// beginScalar sets the state for a number or literal that starts with c. It does
// not take the byte.
func (s *Scanner) beginScalar(c byte) bool {
	switch {
	case c == 't':
		s.literal = "true"
	case c == 'f':
		s.literal = "false"
	case c == 'n':
		s.literal = "null"
	case c == '-':
		s.state = numMinus
		s.left = 1 // the sign itself is still to be read
		return true
	case c == '0' || isDigit(c):
		s.state = numMinus
		s.left = 0
		return true
	default:
		return false
	}
	s.state, s.matched = inLiteral, 0
	return true
}

// scalar reads a number or literal up to its end or the end of p.
func (s *Scanner) scalar(p []byte, sink Sink) (int, error) {
	i, ended := 0, false
	for i < len(p) && !ended {
		var ok bool
		if s.state == inLiteral {
			ok, ended = s.stepLiteral(p[i])
		} else {
			ok, ended = s.stepNumber(p[i])
			if ended {
				break // the byte after a number is not part of it
			}
		}
		if !ok {
			return i, ErrSyntax
		}
		i++
	}
	if i > 0 {
		if err := sink.Scalar(p[:i]); err != nil {
			return i, err
		}
	}
	if !ended {
		return i, nil
	}
	s.afterValue()
	return i, sink.ScalarEnd()
}

// stepLiteral takes one byte of a literal; ended means that it was the last.
func (s *Scanner) stepLiteral(c byte) (ok, ended bool) {
	if c != s.literal[s.matched] {
		return false, false
	}
	s.matched++
	return true, int(s.matched) == len(s.literal)
}

// stepNumber takes one byte of a number; ended means that c comes after it.
func (s *Scanner) stepNumber(c byte) (ok, ended bool) {
	digit := isDigit(c)
	exp := c == 'e' || c == 'E'
	switch s.state {
	case numMinus:
		return s.stepFirst(c), false
	case numZero, numInt:
		switch {
		case digit && s.state == numInt:
		case c == '.':
			s.state = numDot
		case exp:
			s.state = numExp
		default:
			return true, true
		}
		return true, false
	case numDot:
		s.state = numFrac
		return digit, false
	case numFrac:
		switch {
		case digit:
		case exp:
			s.state = numExp
		default:
			return true, true
		}
		return true, false
	case numExp, numExpSign:
		if s.state == numExp && (c == '+' || c == '-') {
			s.state = numExpSign
			return true, false
		}
		s.state = numExpInt
		return digit, false
	}
	return true, !digit // numExpInt
}

// stepFirst takes the sign or the first digit of a number.
func (s *Scanner) stepFirst(c byte) bool {
	switch {
	case s.left == 1:
		s.left = 0
		return c == '-'
	case c == '0':
		s.state = numZero
	case isDigit(c):
		s.state = numInt
	default:
		return false
	}
	return true
}

func isDigit(c byte) bool { return c-'0' < 10 }
