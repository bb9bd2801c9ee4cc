package spec

import "github.com/weirmesh/weir/filter/policy/jsonscan"

// Error is what is wrong with a document, and where.
type Error struct {
	Path    string // the field, as in limits[0].models[1]; empty: the document as a whole
	Problem string // a sentence without a full stop
}

// Error returns "path: problem".
func (e *Error) Error() string {
	if e.Path == "" {
		return e.Problem
	}
	return e.Path + ": " + e.Problem
}

// path is a field of the document; each method returns the path of a part of it.
// It is a value without memory of its own: paths are made for every field that is
// read and written down for the one that is wrong.
type path struct {
	n     int
	parts [maxParts]part
}

// maxParts is the length of the longest path: limits[].semantic.models[].model.
const maxParts = 6

// part is a field's name or, without one, the index of an item.
type part struct {
	name  string
	index int
}

func (p path) field(name string) path { return p.with(part{name: name}) }

func (p path) item(i int) path { return p.with(part{index: i}) }

func (p path) with(last part) path {
	p.parts[p.n] = last
	p.n++
	return p
}

func (p path) fail(problem string) error { return &Error{Path: p.string(), Problem: problem} }

func (p path) string() string {
	s := ""
	for i, part := range p.parts[:p.n] {
		switch {
		case part.name == "":
			s += "[" + decimal(int64(part.index)) + "]"
		case i > 0:
			s += "." + part.name
		default:
			s = part.name
		}
	}
	return s
}

func decimal(n int64) string { return string(jsonscan.AppendInt(nil, n)) }

func quote(s string) string { return string(jsonscan.AppendString(nil, s)) }
