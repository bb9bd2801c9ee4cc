package strictyaml

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

func at(t *token.Token) Position {
	if t == nil || t.Position == nil {
		return Position{}
	}
	return Position{Line: t.Position.Line, Column: t.Position.Column}
}

// nodePosition is where a value starts. A block map starts at its first key:
// the parser's own token for it is the first colon.
func nodePosition(node ast.Node) Position {
	switch n := node.(type) {
	case nil:
		return Position{}
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return nodePosition(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return nodePosition(n.Key)
	}
	return at(node.GetToken())
}

// describe names the type of a value in words.
func describe(node ast.Node) string {
	switch node.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return "a string"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.NullNode, nil:
		return "empty"
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "a map"
	default:
		return "not understood"
	}
}

// text is the content of a string node.
func text(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	default:
		return "", false
	}
}

// number is the text of a number node, if it is a plain decimal such as -12.5.
func number(node ast.Node) (digits string, isNumber, plain bool) {
	switch node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		digits = strings.TrimSpace(node.GetToken().Value)
		return digits, true, isPlainDecimal(digits)
	case *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, true, false
	default:
		return "", false, false
	}
}

// isPlainDecimal reports whether text is -?digits[.digits] without a leading zero.
func isPlainDecimal(text string) bool {
	text = strings.TrimPrefix(text, "-")
	whole, fraction, dotted := strings.Cut(text, ".")
	if !allDigits(whole) || (len(whole) > 1 && whole[0] == '0') {
		return false
	}
	return !dotted || allDigits(fraction)
}

func allDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}
