package strictyaml

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a file. Lines and columns count from 1; the zero
// value is the file as a whole.
type Position struct {
	Line   int
	Column int
}

// Problem is one thing that is wrong with a resource: where it is, what it is
// and how to mend it.
type Problem struct {
	// File is the file's name as the source gave it; empty: the set of files as a whole.
	File string
	Position
	// Resource is "Kind/name" as far as it could be read; may be empty.
	Resource string
	// Field is the path inside the document, such as spec.split[0].weight; may be empty.
	Field string
	// Message says what is wrong.
	Message string
	// Hint says how to mend it; may be empty.
	Hint string
}

// String is one line: file:line:column: resource: field: message (hint).
func (p Problem) String() string {
	var parts []string
	if where := p.where(); where != "" {
		parts = append(parts, where)
	}
	if p.Resource != "" {
		parts = append(parts, p.Resource)
	}
	if p.Field != "" {
		parts = append(parts, p.Field)
	}
	text := strings.Join(append(parts, p.Message), ": ")
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	return text
}

func (p Problem) where() string {
	if p.File == "" || p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Sort orders problems by file, line, column, field and message, so that the
// same files always give the same text.
func Sort(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Field, b.Field),
			cmp.Compare(a.Message, b.Message),
		)
	})
}
