package condition

import (
	"fmt"
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// Parse reads a condition. salt seeds the hash of users, as it seeds the split's.
// Errors are *Error.
func Parse(source, salt string) (Expr, error) {
	p, err := newParser(source, salt)
	if err != nil {
		return nil, err
	}
	x, err := p.or()
	if err == nil && p.token.kind != tokenEnd {
		err = p.unexpected("&&, || or the end")
	}
	if err != nil {
		return nil, err
	}
	return x, nil
}

// ParseText reads a text alone, such as header("x-session"): what an experiment is
// spread by.
func ParseText(source string) (spec.Attribute, error) {
	p, err := newParser(source, "")
	if err != nil {
		return spec.Attribute{}, err
	}
	t, err := p.term()
	switch {
	case err != nil:
		return spec.Attribute{}, err
	case p.token.kind != tokenEnd:
		return spec.Attribute{}, p.unexpected("the end")
	case t.kind != termText:
		return spec.Attribute{}, p.fail(t.at, "%s is needed here, not %s", termText, t.kind)
	}
	return t.test.Attribute, nil
}

type parser struct {
	lexer
	token token // the next one
	salt  string
	depth int
	tests int
}

func newParser(source, salt string) (*parser, error) {
	if len(source) > maxText {
		return nil, &Error{1, fmt.Sprintf("a condition has at most %d bytes", maxText)}
	}
	if !utf8.ValidString(source) {
		return nil, &Error{1, "a condition is UTF-8"}
	}
	p := &parser{lexer: lexer{source: source}, salt: salt}
	return p, p.advance()
}

func (p *parser) advance() (err error) {
	p.token, err = p.next()
	return err
}

func (p *parser) is(operator string) bool {
	return p.token.kind == tokenOperator && p.token.text == operator
}

// take goes past an operator if it comes next.
func (p *parser) take(operator string) (bool, error) {
	if !p.is(operator) {
		return false, nil
	}
	return true, p.advance()
}

func (p *parser) expect(operator string) error {
	if !p.is(operator) {
		return p.unexpected(operator)
	}
	return p.advance()
}

func (p *parser) unexpected(wanted string) error {
	if p.token.kind == tokenEnd {
		return p.fail(p.token.at, "the condition ends where %s is needed", wanted)
	}
	return p.fail(p.token.at, "%q stands where %s is needed", p.token.text, wanted)
}

// deeper bounds how deep conditions nest.
func (p *parser) deeper() error {
	if p.depth++; p.depth > maxDepth {
		return p.fail(p.token.at, "the condition nests deeper than %d levels", maxDepth)
	}
	return nil
}

func (p *parser) or() (Expr, error) {
	x, err := p.and()
	for err == nil && p.is("||") {
		var y Expr
		if err = p.advance(); err == nil {
			y, err = p.and()
			x = Either(x, y)
		}
	}
	return x, err
}

func (p *parser) and() (Expr, error) {
	x, err := p.not()
	for err == nil && p.is("&&") {
		var y Expr
		if err = p.advance(); err == nil {
			y, err = p.not()
			x = Both(x, y)
		}
	}
	return x, err
}

func (p *parser) not() (Expr, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	if negated, err := p.take("!"); negated || err != nil {
		if err != nil {
			return nil, err
		}
		x, err := p.not()
		if err != nil {
			return nil, err
		}
		return negate(x), nil
	}
	if inside, err := p.take("("); inside || err != nil {
		if err != nil {
			return nil, err
		}
		x, err := p.or()
		if err != nil {
			return nil, err
		}
		return x, p.expect(")")
	}
	return p.comparison()
}

// comparison reads a term and, unless it is a condition by itself, what it is
// compared with.
func (p *parser) comparison() (Expr, error) {
	left, err := p.term()
	if err != nil {
		return nil, err
	}
	if p.token.kind == tokenName && p.token.text == "in" {
		return p.in(left)
	}
	op := p.token
	if op.kind != tokenOperator || !comparisons[op.text] {
		if left.kind != termBool {
			if p.token.kind == tokenEnd || p.is(")") || p.is("&&") || p.is("||") {
				return nil, p.fail(left.at, "%s is no condition: compare it with something", left.kind)
			}
			return nil, p.unexpected("==, !=, <, <=, >, >= or in")
		}
		return left.bool, nil
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	right, err := p.term()
	if err != nil {
		return nil, err
	}
	return p.compare(left, op, right)
}

// in reads a list; x in [a, b] is x == a || x == b.
func (p *parser) in(left term) (Expr, error) {
	op := p.token
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect("["); err != nil {
		return nil, err
	}
	var either Expr = Constant(false)
	for {
		right, err := p.term()
		if err != nil {
			return nil, err
		}
		x, err := p.compare(left, token{kind: tokenOperator, text: "==", at: op.at}, right)
		if err != nil {
			return nil, err
		}
		either = Either(either, x)
		if more, err := p.take(","); err != nil || !more {
			if err != nil {
				return nil, err
			}
			return either, p.expect("]")
		}
	}
}

var comparisons = map[string]bool{"==": true, "!=": true, "<": true, "<=": true, ">": true, ">=": true}
