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

// trail is where in the document one is, and the first problem found there. The
// place is kept as parts and written down for the field that is wrong only.
type trail struct {
	n     int
	parts [maxParts]part
	err   error
}

// maxParts is the length of the longest path: limits[].semantic.models[].model.
const maxParts = 6

// part is a field's name or, without one, the index of an item.
type part struct {
	name  string
	index int
}

// in goes into a field, item into an item of a list, and out back.
//
//go:noinline
func (t *trail) in(name string) { t.push(part{name: name}) }

//go:noinline
func (t *trail) item(i int) { t.push(part{index: i}) }

//go:noinline
func (t *trail) out() { t.n-- }

//go:noinline
func (t *trail) push(p part) {
	t.parts[t.n] = p
	t.n++
}

// fail notes a problem of the field that one is in.
//
//go:noinline
func (t *trail) fail(problem string) {
	if t.err == nil {
		t.err = &Error{Path: t.path(), Problem: problem}
	}
}

// failIn notes a problem of a field of the object that one is in.
//
//go:noinline
func (t *trail) failIn(name, problem string) {
	t.in(name)
	t.fail(problem)
	t.out()
}

// failItem notes a problem of an item of a list in the object that one is in.
//
//go:noinline
func (t *trail) failItem(name string, i int, problem string) {
	t.in(name)
	t.item(i)
	t.fail(problem)
	t.out()
	t.out()
}

// atMost checks the length of the list that one is in.
//
//go:noinline
func (t *trail) atMost(n, high int) {
	if n > high {
		t.fail("has more than " + decimal(int64(high)) + " items")
	}
}

//go:noinline
func (t *trail) path() string {
	s := ""
	for i, part := range t.parts[:t.n] {
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

//go:noinline
func decimal(n int64) string { return string(jsonscan.AppendInt(nil, n)) }

//go:noinline
func quote(s string) string { return string(jsonscan.AppendString(nil, s)) }
