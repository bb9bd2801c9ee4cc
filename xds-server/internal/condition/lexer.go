package condition

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

type kind uint8

const (
	tokenEnd kind = iota
	tokenName
	tokenString
	tokenNumber
	tokenOperator
)

// token is one word; text is the content of a string.
type token struct {
	kind   kind
	text   string
	number int64
	at     int // byte in the source
}

// operators by length, so that the longest comes first.
var operators = []string{"&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "%", "(", ")", "[", "]", ",", ".", "-"}

// lexer cuts a condition into tokens.
type lexer struct {
	source string
	at     int
}

// fail makes an error at a byte of the source.
func (l *lexer) fail(at int, format string, args ...any) error {
	return &Error{Column: utf8.RuneCountInString(l.source[:at]) + 1, Problem: fmt.Sprintf(format, args...)}
}

func (l *lexer) next() (token, error) {
	for l.at < len(l.source) && strings.IndexByte(" \t\r\n", l.source[l.at]) >= 0 {
		l.at++
	}
	start := l.at
	if start == len(l.source) {
		return token{at: start}, nil
	}
	switch c := l.source[start]; {
	case isLetter(c):
		for l.at < len(l.source) && (isLetter(l.source[l.at]) || isDigit(l.source[l.at])) {
			l.at++
		}
		return token{kind: tokenName, text: l.source[start:l.at], at: start}, nil
	case isDigit(c):
		return l.number()
	case c == '"' || c == '\'':
		return l.text(c)
	}
	for _, op := range operators {
		if strings.HasPrefix(l.source[start:], op) {
			l.at += len(op)
			return token{kind: tokenOperator, text: op, at: start}, nil
		}
	}
	r, _ := utf8.DecodeRuneInString(l.source[start:])
	switch r {
	case '=':
		return token{}, l.fail(start, "= is no operator: write == to compare")
	case '&', '|':
		return token{}, l.fail(start, "%c is no operator: write %c%c", r, r, r)
	}
	return token{}, l.fail(start, "%q means nothing here", r)
}

func (l *lexer) number() (token, error) {
	start := l.at
	for l.at < len(l.source) && (isDigit(l.source[l.at]) || isLetter(l.source[l.at])) {
		l.at++
	}
	text := l.source[start:l.at]
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > 1e18 {
		return token{}, l.fail(start, "%q is no whole number that fits", text)
	}
	if l.at < len(l.source) && l.source[l.at] == '.' {
		return token{}, l.fail(start, "numbers are whole")
	}
	return token{kind: tokenNumber, text: text, number: n, at: start}, nil
}

// text reads a string in single or double quotes; a backslash takes the next
// character as it is.
func (l *lexer) text(quote byte) (token, error) {
	start := l.at
	var content strings.Builder
	for l.at++; l.at < len(l.source); l.at++ {
		c := l.source[l.at]
		switch {
		case c == quote:
			l.at++
			return token{kind: tokenString, text: content.String(), at: start}, nil
		case c == '\\':
			if l.at++; l.at == len(l.source) || strings.IndexByte(`\"'`, l.source[l.at]) < 0 {
				return token{}, l.fail(l.at-1, `a backslash stands before \, " or ' only`)
			}
			c = l.source[l.at]
		case c < ' ' || c == 0x7F:
			return token{}, l.fail(l.at, "a string holds no control characters")
		}
		content.WriteByte(c)
	}
	return token{}, l.fail(start, "the string does not end")
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
