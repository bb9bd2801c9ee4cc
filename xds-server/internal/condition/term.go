package condition

import (
	"slices"
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// termKind is the type of a term.
type termKind uint8

const (
	termBool      termKind = iota
	termText               // of a request
	termInteger            // of a request
	termClock              // time of day, weekday or date
	termString             // a literal
	termNumber             // a literal
	termAmbiguous          // a member of metadata, which may be a text or a number
)

// String says what a term is, for errors.
func (k termKind) String() string {
	return [...]string{"a condition", "a text of the request", "a number of the request", "a time", "a string", "a number", "a member of metadata"}[k]
}

// term is one side of a comparison.
type term struct {
	kind   termKind
	at     int
	test   Test // of what the request says, without what it is compared with
	whole  bool // the number is within 0 and Modulus-1, for every request
	bool   Expr
	text   string
	number int64
}

// term reads a primary term, and what remains of it by a modulus.
func (p *parser) term() (term, error) {
	t, err := p.primary()
	if err != nil || !p.is("%") {
		return t, err
	}
	if err := p.advance(); err != nil {
		return t, err
	}
	n := p.token
	if n.kind != tokenNumber || n.number < 1 || n.number > spec.MaxModulus {
		return t, p.fail(n.at, "a number from 1 to %d is needed behind %%", spec.MaxModulus)
	}
	if err := p.advance(); err != nil {
		return t, err
	}
	return p.modulo(t, n.number)
}

// modulo is the slot of a text, or the remainder of a number.
func (p *parser) modulo(t term, n int64) (term, error) {
	switch {
	case t.kind == termNumber:
		t.number %= n
		return t, nil
	case t.kind == termText || t.kind == termAmbiguous:
		t.test.Text = p.salt
		t.test.Kind = spec.TestSlot
	case t.kind == termInteger && t.test.Kind == spec.TestInteger:
		t.test.Kind = spec.TestModulo
	case t.kind != termInteger || t.test.Kind != spec.TestSlot || t.test.Modulus != 0:
		return t, p.fail(t.at, "%s has no %%", t.kind)
	}
	t.kind, t.test.Modulus = termInteger, int32(n)
	t.whole = t.test.Kind == spec.TestSlot && t.test.Attribute.Source == spec.FromUser
	return t, nil
}

func (p *parser) primary() (term, error) {
	word := p.token
	switch word.kind {
	case tokenString:
		return term{kind: termString, at: word.at, text: word.text}, p.advance()
	case tokenNumber:
		return term{kind: termNumber, at: word.at, number: word.number}, p.advance()
	case tokenName:
		if err := p.advance(); err != nil {
			return term{}, err
		}
		t, err := p.named(word)
		t.at = word.at
		return t, err
	case tokenOperator:
		if word.text == "-" {
			return p.negative()
		}
	}
	return term{}, p.unexpected("a term")
}

func (p *parser) negative() (term, error) {
	at := p.token.at
	if err := p.advance(); err != nil {
		return term{}, err
	}
	if p.token.kind != tokenNumber {
		return term{}, p.unexpected("a number")
	}
	n := p.token.number
	return term{kind: termNumber, at: at, number: -n}, p.advance()
}

// names are all that a term may begin with.
var names = []string{
	"baggage", "claim", "colour", "has", "hash", "header", "int", "metadata", "minute", "now", "peer", "query", "startsWith", "tenant", "time",
	"user", "variant", "weekday",
}

// named reads a term that begins with a name.
func (p *parser) named(word token) (term, error) {
	text := func(source spec.AttributeSource, name string) term {
		return term{kind: termText, test: Test{Attribute: spec.Attribute{Source: source, Name: name}}}
	}
	switch word.text {
	case "true", "false":
		return term{kind: termBool, bool: Constant(word.text == "true")}, nil
	case "tenant":
		return text(spec.FromTenant, ""), nil
	case "user":
		return text(spec.FromUser, ""), p.member("id")
	case "peer":
		return text(spec.FromPeer, ""), nil
	case "variant":
		return text(spec.FromHeader, VariantHeader), nil
	case "header", "query", "baggage", "claim", "colour":
		return p.place(word, text)
	case "metadata":
		t := text(spec.FromMetadata, "")
		t.kind = termAmbiguous
		return p.metadata(t)
	case "has", "startsWith", "hash", "int":
		return p.function(word)
	case "time", "weekday", "now":
		return p.clock(word)
	}
	return term{}, p.fail(word.at, "%q is no term%s", word.text, didYouMean(word.text, names))
}

// member goes past an optional .name.
func (p *parser) member(name string) error {
	dot, err := p.take(".")
	if err != nil || !dot {
		return err
	}
	if p.token.kind != tokenName || p.token.text != name {
		return p.unexpected(name)
	}
	return p.advance()
}

// place reads header("x-name") and its like. A colour may stand without a name.
func (p *parser) place(word token, text func(spec.AttributeSource, string) term) (term, error) {
	sources := map[string]spec.AttributeSource{
		"header": spec.FromHeader, "query": spec.FromQuery, "baggage": spec.FromBaggage, "claim": spec.FromClaim, "colour": spec.FromColour,
	}
	if word.text == "colour" && !p.is("(") {
		return text(spec.FromColour, DefaultColour), nil
	}
	at := p.token.at
	name, err := p.argument()
	if err != nil {
		return term{}, err
	}
	if word.text == "header" {
		name = strings.ToLower(name)
	}
	if problem := CheckName(sources[word.text], name); problem != "" {
		return term{}, p.fail(at, "%s", problem)
	}
	return text(sources[word.text], name), nil
}

// CheckName says what is wrong with the name of an attribute, if anything.
func CheckName(source spec.AttributeSource, name string) string {
	switch {
	case name == "" || len(name) > spec.MaxAttributeBytes:
		return "a name has 1 to 128 bytes"
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7F }):
		return "a name has no control characters"
	case source == spec.FromClaim && len(spec.ClaimPath(name)) == 0:
		return `a claim is a path of names with dots between them; a dot in a name is \.`
	case source == spec.FromHeader || source == spec.FromColour:
		if strings.HasPrefix(name, "x-weir-") || strings.ContainsFunc(name, func(r rune) bool {
			return (r < '0' || r > '9') && (r < 'a' || r > 'z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
		}) || len(name) > spec.MaxIDBytes-len("x-") {
			return "it is no name of a header that clients may send"
		}
	}
	return ""
}

// argument reads ("name").
func (p *parser) argument() (string, error) {
	if err := p.expect("("); err != nil {
		return "", err
	}
	if p.token.kind != tokenString {
		return "", p.unexpected("a name in quotes")
	}
	name := p.token.text
	if err := p.advance(); err != nil {
		return "", err
	}
	return name, p.expect(")")
}

// metadata reads metadata.name or metadata("name").
func (p *parser) metadata(t term) (term, error) {
	dot, err := p.take(".")
	if err != nil {
		return t, err
	}
	at := p.token.at
	switch {
	case !dot:
		t.test.Attribute.Name, err = p.argument()
	case p.token.kind == tokenName:
		t.test.Attribute.Name = p.token.text
		err = p.advance()
	default:
		err = p.unexpected("the name of a member")
	}
	if err == nil {
		if problem := CheckName(spec.FromMetadata, t.test.Attribute.Name); problem != "" {
			err = p.fail(at, "%s", problem)
		}
	}
	return t, err
}

// function reads has(x), startsWith(x, "text"), int(x), hash(x) and hash(x, "salt").
func (p *parser) function(word token) (term, error) {
	if err := p.expect("("); err != nil {
		return term{}, err
	}
	t, err := p.term()
	if err != nil {
		return t, err
	}
	if t.kind != termText && t.kind != termAmbiguous {
		return t, p.fail(t.at, "%s needs %s, not %s", word.text, termText, t.kind)
	}
	test := &t.test
	switch word.text {
	case "has":
		test.Kind, t.kind = spec.TestHas, termBool
	case "int":
		test.Kind, t.kind = spec.TestInteger, termInteger
	case "hash":
		test.Kind, test.Text, t.kind = spec.TestSlot, p.salt, termInteger
	default:
		test.Kind, t.kind = spec.TestPrefix, termBool
	}
	comma, err := p.take(",")
	switch {
	case err != nil:
		return t, err
	case comma && (word.text == "hash" || word.text == "startsWith"):
		if p.token.kind != tokenString || len(p.token.text) > spec.MaxSaltBytes {
			return t, p.unexpected("a string of at most 128 bytes")
		}
		test.Text = p.token.text
		if err := p.advance(); err != nil {
			return t, err
		}
	case word.text == "startsWith":
		return t, p.unexpected("a comma and the text that it starts with")
	}
	if t.kind == termBool {
		t.bool = test
		if test.Kind == spec.TestPrefix && test.Text == "" {
			t.bool = &Test{Kind: spec.TestHas, Attribute: test.Attribute}
		}
		if err := p.count(word.at); err != nil {
			return t, err
		}
	}
	return t, p.expect(")")
}

// clock reads time, weekday and now; the first two may have an offset from UTC.
func (p *parser) clock(word token) (term, error) {
	kinds := map[string]spec.TreeTest{"time": spec.TestMinute, "weekday": spec.TestWeekday, "now": spec.TestSecond}
	t := term{kind: termClock, test: Test{Kind: kinds[word.text]}}
	if word.text == "now" || !p.is("(") {
		return t, nil
	}
	at := p.token.at
	text, err := p.argument()
	if err != nil {
		return t, err
	}
	offset, ok := ParseOffset(text)
	if !ok {
		return t, p.fail(at, "%q is no offset from UTC such as +08:00", text)
	}
	t.test.Modulus = offset
	return t, nil
}

// count bounds the tests of a condition.
func (p *parser) count(at int) error {
	if p.tests++; p.tests > maxTests {
		return p.fail(at, "the condition has more than %d tests", maxTests)
	}
	return nil
}

func didYouMean(word string, known []string) string {
	lower := strings.ToLower(word)
	i := slices.IndexFunc(known, func(k string) bool {
		k = strings.ToLower(k)
		return strings.HasPrefix(k, lower) || strings.HasPrefix(lower, k)
	})
	if i < 0 {
		return ": there are " + strings.Join(known, ", ")
	}
	return ": did you mean " + known[i] + "?"
}
