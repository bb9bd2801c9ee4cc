package redact

// Bounds of an address in characters. RFC 5321, 4.5.3.1.1, limits the local
// part to 64: of a longer one the last 64 are masked. A domain may have 255;
// more than 128 decide nothing here, since a domain stays as it is.
const (
	maxLocal  = 64
	maxDomain = 128
)

// address is a match in a window: units [start, at) are the local part, at is
// the '@' and (at, end) the domain.
type address struct {
	start, at, end int
}

// repository is the name with which programs log in where source code is kept.
const repository = "git"

// nextEmail returns the first address that begins at the floor or behind it,
// and before limit. Its start is behind the window if there is none.
func (r *Redactor) nextEmail(limit int) address {
	w := &r.w
	if r.rules.email {
		for at := w.floor; at < min(w.ats, limit+maxLocal); at++ {
			if w.code[at] != '@' {
				continue
			}
			if start := w.localStart(at, w.start[at]); start < at && (at-start != len(repository) || !w.literal(start, repository)) {
				if end := w.domainEnd(at + 1); end > 0 {
					return address{start, at, end}
				}
			}
		}
	}
	return address{start: maxUnits + 1}
}

// localStart returns where the local part before the '@' at unit at, and offset offset,
// begins, or at if there is none. It is the dot-string of RFC 5321, 4.1.2, without the
// characters that in text are separators; it begins with a letter, a digit or
// '_', since what else stands in front is punctuation of the text.
//
//go:noinline
func (w *window) localStart(at int, offset int32) int {
	i := at
	for i > w.floor && at-i < maxLocal && props[w.code[i-1]]&isLocal != 0 && offset-w.start[i-1] <= maxPartRaw {
		i--
	}
	for i < at && props[w.code[i]]&(isDigit|isLetter) == 0 && w.code[i] != '_' {
		i++
	}
	return i
}

// domainEnd returns the unit behind the domain that begins at i, or 0 if there
// is none: labels of letters, digits and hyphens (RFC 1035, 2.3.1), of which
// the last begins with two letters. Two numbers in front are a version, as in
// "react@18.2.0-rc.a".
func (w *window) domainEnd(first int) int {
	end, labels, numbers := 0, 0, 0
	for i := first; ; i++ {
		label := i
		i = w.labelEnd(first, i)
		if i == label || w.code[label] == '-' {
			break
		}
		if w.digits(label, i-label) && labels == numbers {
			if numbers++; numbers == 2 {
				return 0
			}
		}
		if labels++; labels > 1 {
			end = max(end, w.topLevelEnd(label, i))
		}
		if i >= w.n || w.code[i] != '.' {
			break
		}
	}
	return end
}

// labelEnd returns the unit behind the label at i of a domain that begins at
// first, as far as domains are read.
func (w *window) labelEnd(first, i int) int {
	for i < w.n && i-first < maxDomain && w.end[i]-w.start[first] <= maxPartRaw {
		if props[w.code[i]]&(isDigit|isLetter) == 0 && w.code[i] != '-' {
			break
		}
		i++
	}
	return i
}

// topLevelEnd returns the unit behind the top-level domain that begins with the
// label [i, end), or 0. Its letters are enough: text may be glued to it.
func (w *window) topLevelEnd(i, end int) int {
	if end-i > 4 && w.code[i]|0x20 == 'x' && w.code[i+1]|0x20 == 'n' && w.code[i+2] == '-' && w.code[i+3] == '-' {
		return end // RFC 5890 A-label
	}
	letters := i
	for letters < end && props[w.code[letters]]&isLetter != 0 {
		letters++
	}
	if letters-i < 2 {
		return 0
	}
	return letters
}
