// Package condition is the language in which routes say which requests they mean:
//
//	user.id % 100 < 10 && (header("x-beta") == "1" || metadata.tier in ["gold", "silver"])
//
// It is small and typed. A term is a text (of a header, a query parameter, ...), a
// whole number or a time; comparing one kind with another is an error that names
// the column. What Parse returns is made of the tests that the filter knows, with
// all constants folded.
package condition

import (
	"fmt"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// Bounds. A condition is written by a person.
const (
	maxText  = 4096
	maxDepth = 32
	maxTests = spec.MaxTreeNodes
)

// VariantHeader is the header by which a client names the hardware variant that it
// wants.
const VariantHeader = "x-model-profile"

// DefaultColour is the name of the colour, where none is given.
const DefaultColour = "colour"

// Expr is a condition: a Constant, *Test, *Not, *And or *Or.
type Expr interface{ expr() }

// Constant is a condition that is the same for every request.
type Constant bool

// Test is a test of one attribute, or of the time.
type Test struct {
	Kind      spec.TreeTest
	Attribute spec.Attribute // not of a time
	Text      string         // what to equal or begin with; the salt of slots
	Modulus   int32          // as in spec.TreeNode
	Low, High int64
}

// Not is the opposite.
type Not struct{ X Expr }

// And holds if both do. Y is asked only if X holds.
type And struct{ X, Y Expr }

// Or holds if one does. Y is asked only if X does not hold.
type Or struct{ X, Y Expr }

func (Constant) expr() {}
func (*Test) expr()    {}
func (*Not) expr()     {}
func (*And) expr()     {}
func (*Or) expr()      {}

// Error is what is wrong with a condition.
type Error struct {
	Column  int // counted from 1, in characters
	Problem string
}

// Error names the column.
func (e *Error) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Problem) }

// negate, both and either fold constants away.
func negate(x Expr) Expr {
	switch x := x.(type) {
	case Constant:
		return !x
	case *Not:
		return x.X
	}
	return &Not{x}
}

// Both is x && y.
func Both(x, y Expr) Expr {
	if c, constant := x.(Constant); constant {
		if c {
			return y
		}
		return x
	}
	if c, constant := y.(Constant); constant {
		if c {
			return x
		}
		return y
	}
	return &And{x, y}
}

// Either is x || y.
func Either(x, y Expr) Expr {
	if c, constant := x.(Constant); constant {
		if c {
			return x
		}
		return y
	}
	if c, constant := y.(Constant); constant {
		if c {
			return y
		}
		return x
	}
	return &Or{x, y}
}
