package strictyaml

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml/ast"
)

// FromString is a value that is written as a YAML string. The error says what
// is wrong with the text, without repeating the field.
type FromString interface {
	ParseString(text string) error
}

// FromNumber is a value that is written as a YAML number. ParseNumber gets its
// text, a plain decimal, so that nothing is lost to binary floating point.
type FromNumber interface {
	ParseNumber(decimal string) error
}

// Decode reads the document into the struct that target points to. Fields are
// named by `yaml:"name"`; a field is required (a list must have an entry)
// unless the tag says `yaml:"name,optional"`. Supported are structs, pointers,
// slices, strings, bools, ints, FromString and FromNumber. What cannot be read
// keeps its zero value and is among Problems.
func (d *Document) Decode(target any) {
	d.decodeMap("", d.start, d.tree(), reflect.ValueOf(target).Elem())
}

// Problems are what Decode found.
func (d *Document) Problems() []Problem { return d.problems }

// Name sets the "Kind/name" that problems of this document show.
func (d *Document) Name(resource string) {
	d.resource = resource
	for i := range d.problems {
		d.problems[i].Resource = resource
	}
}

// Text returns the string at the path of keys, if there is one.
func (d *Document) Text(path ...string) (string, bool) {
	var node ast.Node
	enclosing, isMap := d.tree(), true
	for _, key := range path {
		if !isMap {
			return "", false
		}
		if node = lookup(enclosing, key); node == nil {
			return "", false
		}
		enclosing, isMap = node.(ast.MapNode)
	}
	return text(node)
}

// Failed reports whether Decode found a problem at the field, inside it, or in
// what encloses it: then what the struct holds there is not what was written.
func (d *Document) Failed(field string) bool {
	return slices.ContainsFunc(d.problems, func(p Problem) bool {
		return within(field, p.Field) || within(p.Field, field)
	})
}

// At makes a problem of this document at a field.
func (d *Document) At(field, message, hint string) Problem {
	return Problem{
		File: d.file, Position: d.Position(field), Resource: d.resource,
		Field: field, Message: message, Hint: hint,
	}
}

func (d *Document) report(field string, position Position, message, hint string) {
	d.problems = append(d.problems, Problem{
		File: d.file, Position: position, Resource: d.resource,
		Field: field, Message: message, Hint: hint,
	})
}

func (d *Document) decode(path string, node ast.Node, target reflect.Value) {
	if target.Kind() == reflect.Pointer {
		target.Set(reflect.New(target.Type().Elem()))
		target = target.Elem()
	}
	if d.decodeParsed(path, node, target.Addr().Interface()) {
		return
	}
	switch target.Kind() {
	case reflect.Struct:
		if m, ok := node.(ast.MapNode); ok {
			d.decodeMap(path, nodePosition(node), m, target)
			return
		}
		d.mismatch(path, node, "a map of fields")
	case reflect.Slice:
		d.decodeList(path, node, target)
	case reflect.String:
		if value, ok := text(node); ok {
			target.SetString(value)
			return
		}
		d.mismatch(path, node, "a string")
	case reflect.Bool:
		if b, ok := node.(*ast.BoolNode); ok {
			target.SetBool(b.Value)
			return
		}
		d.mismatch(path, node, "true or false")
	case reflect.Int:
		d.decodeInt(path, node, target)
	default:
		// A mistake in this program's types, found by the first test that reads one.
		d.report(path, nodePosition(node), fmt.Sprintf("field has the type %s, which cannot be read", target.Type()), "")
	}
}

// decodeParsed handles the types that parse themselves.
func (d *Document) decodeParsed(path string, node ast.Node, target any) bool {
	fromString, takesString := target.(FromString)
	fromNumber, takesNumber := target.(FromNumber)
	if !takesString && !takesNumber {
		return false
	}
	value, isString := text(node)
	digits, isNumber, plain := number(node)
	var err error
	switch {
	case isString && takesString:
		err = fromString.ParseString(value)
	case isNumber && takesNumber && !plain:
		err = fmt.Errorf("%s is not a plain decimal number such as 12.5", digits)
	case isNumber && takesNumber:
		err = fromNumber.ParseNumber(digits)
	case takesString:
		d.mismatch(path, node, "a string")
	default:
		d.mismatch(path, node, "a number")
	}
	if err != nil {
		d.report(path, nodePosition(node), err.Error(), "")
	}
	return true
}

func (d *Document) decodeInt(path string, node ast.Node, target reflect.Value) {
	digits, isNumber, plain := number(node)
	if !isNumber {
		d.mismatch(path, node, "a whole number")
		return
	}
	value, err := strconv.ParseInt(digits, 10, 63)
	if !plain || err != nil {
		d.report(path, nodePosition(node), digits+" is not a whole number that fits", "")
		return
	}
	target.SetInt(value)
}

func (d *Document) decodeList(path string, node ast.Node, target reflect.Value) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		d.mismatch(path, node, "a list")
		return
	}
	values := reflect.MakeSlice(target.Type(), len(list.Values), len(list.Values))
	for i, item := range list.Values {
		d.decode(fmt.Sprintf("%s[%d]", path, i), item, values.Index(i))
	}
	target.Set(values)
}

func (d *Document) decodeMap(path string, start Position, node ast.MapNode, target reflect.Value) {
	fields := fieldsOf(target.Type())
	seen := make(map[string]Position)
	for iter := node.MapRange(); iter.Next(); {
		position := nodePosition(iter.Key())
		name, isText := text(iter.Key())
		if !isText {
			d.report(path, position, "a field's name is "+describe(iter.Key())+", but a string is needed", "")
			continue
		}
		child := join(path, name)
		if first, twice := seen[name]; twice {
			d.report(child, position, fmt.Sprintf("field is already set in line %d", first.Line), "remove one of the two")
			continue
		}
		seen[name] = position
		at := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if at < 0 {
			d.report(child, position, "unknown field", DidYouMean(name, names(fields)))
			continue
		}
		d.decode(child, iter.Value(), target.Field(fields[at].index))
		d.requireEntry(child, iter.Value(), fields[at])
	}
	d.requireFields(path, start, fields, seen)
}

// requireFields reports the fields that are not there and have to be.
func (d *Document) requireFields(path string, start Position, fields []field, seen map[string]Position) {
	for _, f := range fields {
		if _, set := seen[f.name]; !set && !f.optional {
			d.report(join(path, f.name), start, "field is missing", "")
		}
	}
}

// requireEntry reports a required list that is empty.
func (d *Document) requireEntry(path string, node ast.Node, f field) {
	if list, ok := node.(*ast.SequenceNode); ok && !f.optional && len(list.Values) == 0 {
		d.report(path, nodePosition(node), "list is empty, but needs at least one entry", "")
	}
}

func (d *Document) mismatch(path string, node ast.Node, needed string) {
	hint := ""
	if _, isString := text(node); !isString && needed == "a string" {
		if token := node.GetToken(); token != nil && describe(node) != "empty" && describe(node) != "a map" && describe(node) != "a list" {
			hint = `write "` + token.Value + `" in quotes`
		}
	}
	d.report(path, nodePosition(node), "value is "+describe(node)+", but "+needed+" is needed", hint)
}

type field struct {
	name     string
	index    int
	optional bool
}

// knownFields holds what fieldsOf found, by reflect.Type: thousands of documents
// are read into a few types.
var knownFields sync.Map

func fieldsOf(t reflect.Type) []field {
	known, _ := knownFields.Load(t)
	if fields, read := known.([]field); read {
		return fields
	}
	var fields []field
	for i := range t.NumField() {
		name, option, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name != "" {
			fields = append(fields, field{name: name, index: i, optional: option == "optional"})
		}
	}
	knownFields.Store(t, fields)
	return fields
}

func names(fields []field) []string {
	var all []string
	for _, f := range fields {
		all = append(all, f.name)
	}
	return all
}

func lookup(m ast.MapNode, key string) ast.Node {
	for iter := m.MapRange(); iter.Next(); {
		if name, ok := text(iter.Key()); ok && name == key {
			return iter.Value()
		}
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// within reports whether the field inner is outer or inside it.
func within(inner, outer string) bool {
	rest, ok := strings.CutPrefix(inner, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
