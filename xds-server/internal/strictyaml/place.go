package strictyaml

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Release gives back the memory of the syntax tree, which is some hundred times
// the text. The document reads its text again when it is asked where a field
// stands.
func (d *Document) Release() { d.root = nil }

// Moved returns the document as it is when it stands in another file, or after
// another number of lines. The document itself stays.
func (d *Document) Moved(file string, before int) *Document {
	moved := *d
	by := before - d.part.Before
	moved.file, moved.part.Before, moved.start.Line = file, before, d.start.Line+by
	moved.root = nil // its nodes have the old lines
	moved.problems = slices.Clone(d.problems)
	for i := range moved.problems {
		moved.problems[i].File = file
		moved.problems[i].Line += by
	}
	return &moved
}

// StandsAt reports whether Moved would change nothing.
func (d *Document) StandsAt(file string, before int) bool {
	return d.file == file && d.part.Before == before
}

// Start is where the document's first field stands.
func (d *Document) Start() Position { return d.start }

// File is the name of the file, as it was given to Parse.
func (d *Document) File() string { return d.file }

// tree is the document's syntax tree, read again after a release.
func (d *Document) tree() ast.MapNode {
	if d.root == nil {
		if again, _ := d.part.Parse(d.file); again != nil { // it was read before, so it can be
			d.root = again.root
		}
	}
	return d.root
}

// Position is where a field, such as spec.split[0].weight, stands; of a field
// that is not there, where the nearest enclosing one stands.
func (d *Document) Position(field string) Position {
	var value any = d.tree()
	position := d.start
	for _, step := range steps(field) {
		node := inside(value, step)
		if node == nil {
			break
		}
		value, position = node, nodePosition(node)
	}
	return position
}

// steps cuts a path into names and [index]es.
func steps(path string) []string {
	return strings.FieldsFunc(strings.ReplaceAll(path, "[", ".["), func(r rune) bool { return r == '.' })
}

// inside is the value at one step into another; nil if there is none.
func inside(node any, step string) ast.Node {
	digits, isIndex := strings.CutPrefix(step, "[")
	if isIndex {
		list, isList := node.(*ast.SequenceNode)
		i, err := strconv.Atoi(strings.TrimSuffix(digits, "]"))
		if !isList || err != nil || i < 0 || i >= len(list.Values) {
			return nil
		}
		return list.Values[i]
	}
	if m, isMap := node.(ast.MapNode); isMap {
		return lookup(m, step)
	}
	return nil
}
