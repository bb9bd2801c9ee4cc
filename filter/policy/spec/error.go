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
type path string

func (p path) field(name string) path {
	if p == "" {
		return path(name)
	}
	return p + "." + path(name)
}

func (p path) item(i int) path { return p + "[" + path(decimal(int64(i))) + "]" }

func (p path) fail(problem string) error { return &Error{Path: string(p), Problem: problem} }

func decimal(n int64) string { return string(jsonscan.AppendInt(nil, n)) }

func quote(s string) string { return string(jsonscan.AppendString(nil, s)) }
