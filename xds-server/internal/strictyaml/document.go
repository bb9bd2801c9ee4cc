// Package strictyaml reads YAML documents into Go structs and refuses what it
// does not understand: unknown and duplicate fields, values of another type,
// missing values, anchors, aliases and tags. It collects every problem instead
// of stopping at the first, and remembers where each field stands, so that
// later checks can point at it.
//
// It knows nothing of resources and imports nothing of this repository.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits on what is read. Resources are written by people; what is beyond these
// is a mistake, or an attack on a parser whose time grows with the square of a
// document's length.
const (
	// MaxFileBytes bounds a file.
	MaxFileBytes = 1 << 20
	// MaxDocumentBytes bounds one document of a file.
	MaxDocumentBytes = 64 << 10

	maxDepth = 64
)

// Document is one YAML document of a file, and where its fields stand. It is
// not safe for concurrent use.
type Document struct {
	file     string
	part     Part
	root     ast.MapNode // nil: released
	start    Position
	resource string
	problems []Problem
}

// Part is the text of one YAML document of a file, with its marker.
type Part struct {
	Text string
	// Before is the number of lines before it in the file.
	Before int
}

// Split cuts a file into the parts that hold one document each, or none, without
// reading them: a mistake in one is none of the others. Problems are of the file
// as a whole; then there are no parts.
func Split(file string, data []byte) ([]Part, []Problem) {
	if len(data) > MaxFileBytes {
		return nil, []Problem{{
			File:    file,
			Message: fmt.Sprintf("file has more than the limit of %d bytes", MaxFileBytes),
			Hint:    "split it into several files",
		}}
	}
	if problem := checkText(file, data); problem != nil {
		return nil, []Problem{*problem}
	}
	return slices.Collect(parts(string(data))), nil
}

// Parse splits a file into its documents. Documents that are empty are left
// out. Problems are of syntax only; if there are any, no documents are returned.
func Parse(file string, data []byte) ([]*Document, []Problem) {
	parts, problems := Split(file, data)
	var documents []*Document
	for _, part := range parts {
		document, wrong := part.Parse(file)
		if document != nil {
			documents = append(documents, document)
		}
		problems = append(problems, wrong...)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return documents, nil
}

// checkText finds the first byte that is not UTF-8, the one encoding of
// resources.
func checkText(file string, data []byte) *Problem {
	if utf8.Valid(data) {
		return nil
	}
	at := 0
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	before := data[:at]
	return &Problem{
		File: file,
		Position: Position{
			Line:   bytes.Count(before, []byte("\n")) + 1,
			Column: utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1,
		},
		Message: "file is not UTF-8 here", Hint: "save it in that encoding",
	}
}

// parts cuts a file before the lines that begin with the marker --- and after
// those that begin with the marker .... YAML allows neither inside a document
// (YAML 1.2.2, section 9.1.2).
func parts(text string) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		current, lines, before, start := 0, 0, 0, 0
		cut := func() bool {
			part := Part{text[current:start], before}
			current, before = start, lines
			return part.Text == "" || yield(part)
		}
		for line := range strings.Lines(text) {
			if isMarker(line, "---") && !cut() {
				return
			}
			start += len(line)
			lines++
			if isMarker(line, "...") && !cut() {
				return
			}
		}
		cut()
	}
}

func isMarker(line, marker string) bool {
	rest, ok := strings.CutPrefix(line, marker)
	return ok && (rest == "" || strings.IndexByte(" \t\r\n", rest[0]) >= 0)
}

// Parse reads the part's document; a part may have none. Problems are of syntax
// only; if there are any, there is no document.
func (p Part) Parse(file string) (*Document, []Problem) {
	if len(p.Text) > MaxDocumentBytes {
		return nil, []Problem{{
			File: file, Position: Position{Line: p.Before + 1, Column: 1},
			Message: fmt.Sprintf("document has %d bytes, more than the limit of %d", len(p.Text), MaxDocumentBytes),
			Hint:    "split it into several resources",
		}}
	}
	tokens := lexer.Tokenize(p.Text)
	for _, t := range tokens {
		t.Position.Line += p.Before // the nodes that are made of them show where they stand in the file
	}
	if problems := checkTokens(file, tokens); len(problems) > 0 {
		return nil, problems
	}
	tree, problem := parseTokens(file, tokens)
	if problem != nil {
		return nil, []Problem{*problem}
	}
	var document *Document
	for _, doc := range tree.Docs {
		next, problem := newDocument(file, p, doc)
		switch {
		case problem != nil:
			return nil, []Problem{*problem}
		case next != nil && document != nil:
			return nil, []Problem{{File: file, Position: next.start, Message: "another document starts here without a marker", Hint: "put a line --- before it"}}
		case next != nil:
			document = next
		}
	}
	return document, nil
}

// parseTokens turns the parser's error, or its panic on input that it did not
// foresee, into a problem: the files come from people, and one that is odd
// must not stop a server that runs.
func parseTokens(file string, tokens token.Tokens) (tree *ast.File, problem *Problem) {
	defer func() {
		if cause := recover(); cause != nil {
			tree, problem = nil, &Problem{File: file, Message: fmt.Sprintf("cannot be read as YAML: %v", cause)}
		}
	}()
	tree, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err == nil {
		return tree, nil
	}
	p := Problem{File: file, Message: "cannot be read as YAML: " + firstLine(err.Error())}
	var located yaml.Error
	if errors.As(err, &located) {
		p.Message = "cannot be read as YAML: " + firstLine(located.GetMessage())
		p.Position = at(located.GetToken())
	}
	return nil, &p
}

func newDocument(file string, part Part, doc *ast.DocumentNode) (*Document, *Problem) {
	switch body := doc.Body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode, *ast.CommentNode:
		return nil, nil
	case *ast.MappingNode:
		return &Document{file: file, part: part, root: body, start: nodePosition(body)}, nil
	case *ast.MappingValueNode:
		return &Document{file: file, part: part, root: body, start: nodePosition(body)}, nil
	default:
		return nil, &Problem{
			File: file, Position: nodePosition(body),
			Message: "document is " + describe(body) + ", but a resource is a map of fields",
			Hint:    "a resource starts with apiVersion and kind",
		}
	}
}

// checkTokens refuses what the parser would accept and we do not: references
// inside a file hide what a resource says, and deep nesting is recursion.
func checkTokens(file string, tokens token.Tokens) []Problem {
	var problems []Problem
	depth, dashes, line := 0, 0, 0
	for _, t := range tokens {
		if message := refused[t.Type]; message != "" {
			problems = append(problems, Problem{File: file, Position: at(t), Message: message})
		}
		if t.Position != nil && t.Position.Line != line {
			line, dashes = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceEntryType:
			dashes++
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		}
		if depth > maxDepth || dashes > maxDepth || (t.Position != nil && t.Position.Column > maxColumn && t.Type == token.MappingValueType) {
			return append(problems, Problem{
				File: file, Position: at(t), Message: "nested too deeply",
				Hint: fmt.Sprintf("resources need far fewer than %d levels", maxDepth),
			})
		}
	}
	return problems
}

// maxColumn bounds the nesting that indentation alone can express: each level
// of a block needs a column.
const maxColumn = 4096

var refused = map[token.Type]string{
	token.AnchorType:     "anchors (&) are not supported: write the value out where it is needed",
	token.AliasType:      "aliases (*) are not supported: write the value out where it is needed",
	token.MergeKeyType:   "merge keys (<<) are not supported: write the fields out",
	token.TagType:        "tags (!) are not supported: a field's type is known",
	token.DirectiveType:  "directives (%) are not supported: remove the line",
	token.MappingKeyType: "complex keys (?) are not supported: write the key before a colon",
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
