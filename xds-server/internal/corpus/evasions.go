package corpus

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// Evasion is a way to spell a value so that people and models read it as before.
type Evasion struct {
	Name    string
	applies func(spec.EntityKind) bool
	spell   func(source, string) string
	groups  bool // it groups values as nobody does
}

// Evasions returns all of them; the first one is none.
func Evasions() []Evasion {
	all := func(spec.EntityKind) bool { return true }
	return []Evasion{
		{Name: "as it is", applies: all, spell: func(_ source, v string) string { return v }},
		{Name: `\uXXXX`, applies: all, spell: escaped},
		{Name: "full width", applies: all, spell: fullWidth},
		{Name: "other digits", applies: numeric, spell: otherDigits},
		{Name: "zero width", applies: all, spell: zeroWidth},
		{Name: "marks", applies: all, spell: marked},
		{Name: "separators", applies: Checked, spell: separated, groups: true},
		{Name: "dashes", applies: numeric, spell: dashed},
		{Name: "several at once", applies: numeric, spell: several},
		{Name: "%40", applies: func(k spec.EntityKind) bool { return k == spec.EntityEmail }, spell: func(_ source, v string) string { return strings.Replace(v, "@", "%40", 1) }},
	}
}

// Checked says whether values of a kind have a check digit that leaves little to chance.
func Checked(k spec.EntityKind) bool {
	switch k {
	case spec.EntityResidentID, spec.EntityBankCard, spec.EntityUSCC, spec.EntityHKID, spec.EntityTWID, spec.EntityIBAN, spec.EntityIMEI, spec.EntityVIN:
		return true
	}
	return false
}

// numeric says whether digits carry a value of the kind.
func numeric(k spec.EntityKind) bool {
	return Checked(k) || k <= spec.EntitySSN && k != spec.EntityEmail || k == spec.EntityMacauID
}

// escaped spells about every second character as JSON allows.
func escaped(s source, v string) string {
	return each(v, func(c rune) string {
		if c == '\\' || s.IntN(2) == 0 {
			return string(c)
		}
		if high, low := utf16.EncodeRune(c); high != unicode.ReplacementChar {
			return fmt.Sprintf(`\u%04x\u%04x`, high, low)
		}
		return fmt.Sprintf(`\u%04x`, c)
	})
}

func fullWidth(_ source, v string) string {
	return each(v, func(c rune) string {
		if c > ' ' && c < 0x7F && c != '\\' {
			c += 0xFEE0
		}
		return string(c)
	})
}

// otherDigits uses the digits of one other script.
func otherDigits(s source, v string) string {
	zero := []rune{0x0660, 0x06F0, 0x0966, 0x0E50, 0x1D7CE}[s.IntN(5)]
	return each(v, func(c rune) string {
		if c >= '0' && c <= '9' {
			c += zero - '0'
		}
		return string(c)
	})
}

// zeroWidth puts characters that do not show between those of the value.
func zeroWidth(s source, v string) string {
	return between(s, v, "\u200b", "\u200d", "\u00ad", "\u2060", "\ufeff")
}

// marked draws lines and accents over some characters.
func marked(s source, v string) string {
	return between(s, v, "\u0301", "\u0332", "\u0336", "\u20dd", "\u20e3")
}

// between puts one of some texts between some characters of the value.
func between(s source, v string, texts ...string) string {
	first := true
	return each(v, func(c rune) string {
		text := ""
		if !first && s.IntN(3) == 0 {
			text = s.one(texts...)
		}
		first = false
		return text + string(c)
	})
}

// separated puts separators between groups of four, except where there are some.
func separated(s source, v string) string {
	if strings.ContainsAny(v, " -(") {
		return v
	}
	return grouped(v, s.one(" ", "-", "."))
}

// several spells digits in another script, or all in full width, puts characters between
// them that do not show, and escapes half of it.
func several(s source, v string) string {
	wide := otherDigits
	if s.IntN(2) == 0 {
		wide = fullWidth
	}
	return escaped(s, zeroWidth(s, wide(s, dashed(s, v))))
}

// dashed uses other dashes for those that are there.
func dashed(s source, v string) string {
	return strings.ReplaceAll(v, "-", s.one("\u2010", "\u2011", "\u2013", "\u2212", "\uff0d"))
}

// each replaces every character but those of an escape, which stands for one already.
func each(v string, spell func(rune) string) string {
	var b strings.Builder
	escape := false
	for _, c := range v {
		switch {
		case escape:
			b.WriteRune(c)
			escape = false
		case c == '\\':
			b.WriteRune(c)
			escape = true
		default:
			b.WriteString(spell(c))
		}
	}
	return b.String()
}
