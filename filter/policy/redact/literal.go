package redact

import "github.com/weirmesh/weir/filter/policy/spec"

// literal is a text with which, or with what stands before it, a match begins that
// may hold no digit. The search looks for one rare byte of it.
type literal struct {
	kind   spec.EntityKind
	text   string // letters match in any case where fold is set; then they are lower case
	anchor uint8  // index of the rare byte
	fold   bool
}

// literals holds them, those with the same byte of the anchor side by side.
var literals = [...]literal{
	{spec.EntityOpenAIKey, "sk-", 2, false},
	{spec.EntitySlackToken, "xapp-", 4, false},
	{spec.EntityURLPassword, "://", 0, false},
	{spec.EntityIP, "::", 0, false},
	{spec.EntityPrivateKey, "-----BEGIN ", 7, false},
	{spec.EntityJWT, "eyJ", 2, false},
	{spec.EntityAWSKey, "AKIA", 1, false},
	{spec.EntityAWSKey, "ASIA", 1, false},
	{spec.EntityGitHubToken, "ghp_", 3, false},
	{spec.EntityGitHubToken, "gho_", 3, false},
	{spec.EntityGitHubToken, "ghu_", 3, false},
	{spec.EntityGitHubToken, "ghs_", 3, false},
	{spec.EntityGitHubToken, "ghr_", 3, false},
	{spec.EntityGitHubToken, "github_pat_", 6, false},
	{spec.EntityBearer, "bearer ", 0, true},
	{spec.EntityBearer, "basic ", 0, true},
	{spec.EntitySlackToken, "xox", 2, false},
	{spec.EntityGoogleKey, "AIza", 2, false},
}

const maxLiterals = len(literals)

// addLiterals fills the tables of the search for the kinds that are on.
func (r *Rules) addLiterals() {
	for _, l := range literals {
		if !r.on[l.kind] {
			continue
		}
		c := l.text[l.anchor]
		for _, c := range [2]byte{c, upper(c, l.fold)} {
			if r.literalOf[c] == 0 {
				r.literalOf[c] = uint8(r.literalCount + 1)
			}
			r.beside[r.literalOf[c]-1] |= 1 << (l.text[l.beside()] & 31)
		}
		r.literals[r.literalCount] = l
		r.literalCount++
	}
}

// beside is the index of the character that is compared first: that before the
// anchor, or the one behind if it is the first.
func (l *literal) beside() int {
	if l.anchor > 0 {
		return int(l.anchor) - 1
	}
	return 1
}

// upper is c in upper case if it is a lower-case letter and fold is set.
func upper(c byte, fold bool) byte {
	if fold && c >= 'a' && c <= 'z' {
		return c - 0x20
	}
	return c
}

// literalAt says whether the byte at i, of a run that begins at low or behind it,
// anchors a literal, as far as p shows.
func (r *Rules) literalAt(p []byte, i, low int) bool {
	c := p[i]
	first := int(r.literalOf[c]) - 1
	if near := i - 1 + 2*int(r.literals[first].first()); near < low || near < len(p) && r.beside[first]>>(p[near]&31)&1 == 0 {
		return false
	}
	for k := first; k < r.literalCount; k++ {
		l := &r.literals[k]
		if a := l.text[l.anchor]; a != c && (!l.fold || a != c|0x20) {
			break
		}
		if at := i - int(l.anchor); at >= low && l.stands(p[at:]) {
			return true
		}
	}
	return false
}

// first is 1 if the anchor is the first character, else 0. Literals with the same
// anchor are alike in that.
func (l *literal) first() uint8 {
	if l.anchor == 0 {
		return 1
	}
	return 0
}

// stands says whether the literal stands at the beginning of p, as far as p goes.
func (l *literal) stands(p []byte) bool {
	for k := 0; k < len(l.text) && k < len(p); k++ {
		if p[k] != l.text[k] && (!l.fold || p[k]|0x20 != l.text[k]) {
			return false
		}
	}
	return true
}
