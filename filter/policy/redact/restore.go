package redact

// maxTokenRaw is how many raw bytes a token may have, however it is spelled: the longest
// kind of 13 letters, two digits, the code, brackets as escapes and four separators.
const maxTokenRaw = 64

// Restorer puts the values of a request back where the answer holds their tokens. It
// takes raw content of JSON strings, or text, and escapes values as the place asks for
// where they stand. Models write tokens in other cases, in
// other brackets or none, and with other separators: what counts is the kind, the number
// and the code. Tokens that this session did not make stay as they are.
type Restorer struct {
	of   *Session
	out  Output
	held [maxTokenRaw]byte // what may still become a token
	n    int
	nesting
}

// Reset makes r ready for texts that are escaped so many times as content of a JSON
// string: 0 for text, 1 for the string of a JSON text.
func (r *Restorer) Reset(s *Session, out Output, escapes uint8) {
	r.of, r.out, r.n = s, out, 0
	r.nesting.reset(escapes)
}

// Escapes sets how often the next texts are escaped, between two texts.
func (r *Restorer) Escapes(n uint8) { r.nesting.reset(n) }

// Holding says whether bytes are held back.
func (r *Restorer) Holding() bool { return r.n > 0 }

// Write takes the next bytes of the text. It returns the first error of the output.
//
//go:noinline
func (r *Restorer) Write(p []byte) error {
	if !r.of.HasTokens() {
		return r.out.Write(p)
	}
	for r.n > 0 && len(p) > 0 {
		k := copy(r.held[r.n:], p)
		r.n += k
		p = p[k:]
		rest, err := r.scan(r.held[:r.n], false)
		if err != nil {
			return err
		}
		r.n = copy(r.held[:], rest)
	}
	if len(p) == 0 {
		return nil
	}
	rest, err := r.scan(p, false)
	r.n = copy(r.held[:], rest)
	return err
}

// End ends the text: what is held back is no token any more.
//
//go:noinline
func (r *Restorer) End() error {
	_, err := r.scan(r.held[:r.n], true)
	r.n = 0
	r.nesting.reset(r.base)
	return err
}

// scan writes a text with its tokens restored. It returns the end of the text that may
// become a token, shorter than maxTokenRaw; none if last says that nothing follows.
//
//go:noinline
func (r *Restorer) scan(p []byte, last bool) (rest []byte, err error) {
	from := 0
	for i := 0; i < len(p); {
		if !r.of.vault.begins(p[i]) {
			i++
			continue
		}
		m := tokenReader{vault: r.of.vault, text: p[i:min(len(p), i+maxTokenRaw)], whole: last || len(p)-i >= maxTokenRaw}
		switch m.read() {
		case tokenOpen:
			if err = r.pass(p[from:i]); err != nil {
				return nil, err
			}
			return p[i:], nil
		case tokenFound:
			if err = r.pass(p[from : i+m.lead]); err == nil {
				err = r.restore(r.of.vault.value(m.value))
			}
			if err != nil {
				return nil, err
			}
			i += m.at
			from = i
		default:
			if p[i] == '\\' && r.base > 0 {
				i++ // an escape is not torn apart
			}
			i++
		}
	}
	return nil, r.pass(p[from:])
}

// begins says whether a token may begin with a byte: a letter or a bracket.
func (v *vault) begins(c byte) bool {
	switch c {
	case '[', '<', '{', '(', '\\', 0xE3, 0xEF:
		return true
	}
	return v.named(c)
}

// named says whether the name of a kind that is kept begins with a byte.
func (v *vault) named(c byte) bool {
	c = (c | 0x20) - 'a'
	return c < 26 && v.first>>c&1 != 0
}

// reading is what a text is.
type reading uint8

const (
	tokenNone  reading = iota
	tokenOpen          // it may be a token, if it goes on
	tokenFound         // it begins with one
)

// tokenReader reads a text that may begin with a token.
type tokenReader struct {
	vault *vault
	text  []byte
	whole bool // no more of the text comes
	at    int  // what was read
	lead  int  // bytes at the begin that are not replaced
	value int  // its number in the vault
}

// read says what the text is.
func (m *tokenReader) read() reading {
	bracket, cut := m.bracket("[<{(", 0x3010, 0xFF08)
	if cut {
		return tokenOpen
	}
	lead := m.at
	if got := m.name(); got != tokenFound {
		return got
	}
	end := m.at
	if bracket {
		closed, cut := m.bracket("]>})", 0x3011, 0xFF09)
		if cut {
			return tokenOpen
		}
		if closed {
			return tokenFound
		}
	}
	m.lead, m.at = lead, end
	return tokenFound
}

// name reads kind, number and code of any value that is kept.
func (m *tokenReader) name() reading {
	if m.at == len(m.text) {
		return m.cut()
	}
	if !m.vault.named(m.text[m.at]) {
		return tokenNone
	}
	start, open := m.at, false
	for i := range m.vault.kept[:m.vault.n] {
		m.at, m.value = start, i
		switch m.one(&m.vault.kept[i]) {
		case tokenFound:
			return tokenFound
		case tokenOpen:
			open = true
		}
	}
	if open {
		return tokenOpen
	}
	return tokenNone
}

// one reads kind, number and code of one value.
func (m *tokenReader) one(k *kept) reading {
	tag := tags[k.kind]
	if got := m.word(view(tag[1 : len(tag)-1])); got != tokenFound {
		return got
	}
	var number [4]byte
	b := append(number[:0], '_')
	if n := m.value + 1; n >= 10 {
		b = append(b, '0'+byte(n/10))
	}
	b = append(b, '0'+byte((m.value+1)%10), '_')
	if got := m.word(b); got != tokenFound {
		return got
	}
	return m.word(k.code[:])
}

// word reads a word in any case, with any separator for '_'.
func (m *tokenReader) word(word []byte) reading {
	for _, want := range word {
		if want == '_' {
			if got := m.separator(); got != tokenFound {
				return got
			}
			continue
		}
		if m.at == len(m.text) {
			return m.cut()
		}
		c := m.text[m.at]
		if c-'A' < 26 && want >= 'a' || c-'a' < 26 && want < 'a' {
			c ^= 0x20
		}
		if c != want {
			return tokenNone
		}
		m.at++
	}
	return tokenFound
}

// separator reads '_', '-', ' ' or none, with backslashes before it: Markdown has them
// before '_', and JSON doubles them.
func (m *tokenReader) separator() reading {
	for m.at < len(m.text) && m.text[m.at] == '\\' {
		m.at++
	}
	if m.at == len(m.text) {
		return m.cut()
	}
	if c := m.text[m.at]; c == '_' || c == '-' || c == ' ' {
		m.at++
	}
	return tokenFound
}

// cut is what a text is that ends too early.
func (m *tokenReader) cut() reading {
	if m.whole {
		return tokenNone
	}
	return tokenOpen
}

// bracket reads one of some brackets, or one of the two wide ones, spelled as they are
// or as \uXXXX. cut says that the text ended before that was clear.
func (m *tokenReader) bracket(ascii string, wide, fullWidth rune) (found, cut bool) {
	if m.at == len(m.text) {
		return false, !m.whole
	}
	c, size := m.text[m.at], 1
	switch {
	case c == '\\':
		if m.at+1 < len(m.text) && m.text[m.at+1] != 'u' {
			return false, false
		}
		size = 6
	case c == 0xE3 || c == 0xEF:
		size = 3
	}
	if len(m.text)-m.at < size {
		return false, !m.whole
	}
	char := rune(c)
	switch raw := m.text[m.at : m.at+size]; size {
	case 6:
		char = 0
		for _, c := range raw[2:] {
			char = char<<4 | rune(hexValue[c])
		}
	case 3:
		char = rune(c&0x0F)<<12 | rune(raw[1]&0x3F)<<6 | rune(raw[2]&0x3F)
	}
	found = char == wide || char == fullWidth
	for i := 0; i < len(ascii) && !found; i++ {
		found = char == rune(ascii[i])
	}
	if found {
		m.at += size
	}
	return found, false
}
