package strictyaml_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// upper is a string that parses itself.
type upper struct{ text string }

func (u *upper) ParseString(text string) error {
	if text != strings.ToUpper(text) {
		return errors.New("text is not in upper case")
	}
	u.text = text
	return nil
}

// amount is a number that parses itself, and takes a string too.
type amount struct{ text string }

func (a *amount) ParseNumber(decimal string) error { a.text = "number " + decimal; return nil }
func (a *amount) ParseString(text string) error    { a.text = "string " + text; return nil }

type inner struct {
	On    bool     `yaml:"on"`
	Words []string `yaml:"words,optional"`
}

type outer struct {
	Name   string  `yaml:"name"`
	Count  int     `yaml:"count,optional"`
	Upper  upper   `yaml:"upper,optional"`
	Amount *amount `yaml:"amount,optional"`
	Inner  *inner  `yaml:"inner,optional"`
	Items  []inner `yaml:"items,optional"`
	Needed []upper `yaml:"needed"`
	Unread string
}

// read parses and decodes one document and returns all problems as text.
func read(t *testing.T, text string) (outer, string) {
	t.Helper()
	var value outer
	docs, problems := strictyaml.Parse("f.yaml", []byte(text))
	if len(docs) > 1 {
		t.Fatalf("%d documents", len(docs))
	}
	for _, d := range docs {
		d.Name("Outer/x")
		d.Decode(&value)
		problems = append(problems, d.Problems()...)
	}
	var lines []string
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	return value, strings.Join(lines, "\n")
}

func TestDecode(t *testing.T) {
	value, problems := read(t, `
name: "a b"   # comment
count: 12
upper: ABC
amount: 1.50
inner: {on: true, words: [x, 'y', "z"]}
items:
  - on: false
  - on: true
    words:
      - |
        two
        lines
needed: [A]
`)
	if problems != "" {
		t.Fatal(problems)
	}
	if value.Name != "a b" || value.Count != 12 || value.Upper.text != "ABC" || value.Amount.text != "number 1.50" {
		t.Errorf("scalars are %+v, amount %v", value, value.Amount)
	}
	if !value.Inner.On || strings.Join(value.Inner.Words, "") != "xyz" || len(value.Items) != 2 || value.Items[1].Words[0] != "two\nlines\n" {
		t.Errorf("structures are %+v and %+v", value.Inner, value.Items)
	}
}

func TestProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown field", "name: a\nneeded: [A]\nconut: 3", `f.yaml:3:1: Outer/x: conut: unknown field (did you mean "count"?)`},
		{"unknown field, none near", "name: a\nneeded: [A]\nzzzzzzzz: 3", `f.yaml:3:1: Outer/x: zzzzzzzz: unknown field (known: amount, count, inner, items, name, needed, upper)`},
		{"untagged field", "name: a\nneeded: [A]\nUnread: x", `f.yaml:3:1: Outer/x: Unread: unknown field (known: amount, count, inner, items, name, needed, upper)`},
		{"duplicate", "name: a\nneeded: [A]\nname: b", `f.yaml:3:1: Outer/x: name: field is already set in line 1 (remove one of the two)`},
		{"duplicate inside", "name: a\nneeded: [A]\ninner: {on: true, on: false}", `f.yaml:3:19: Outer/x: inner.on: field is already set in line 3 (remove one of the two)`},
		{"missing", "needed: [A]", `f.yaml:1:1: Outer/x: name: field is missing`},
		{"missing inside", "name: a\nneeded: [A]\ninner:\n  words: []", `f.yaml:4:3: Outer/x: inner.on: field is missing`},
		{"empty list", "name: a\nneeded: []", `f.yaml:2:9: Outer/x: needed: list is empty, but needs at least one entry`},
		{"number for string", "name: 12\nneeded: [A]", `f.yaml:1:7: Outer/x: name: value is a number, but a string is needed (write "12" in quotes)`},
		{"bool for string", "name: true\nneeded: [A]", `f.yaml:1:7: Outer/x: name: value is true or false, but a string is needed (write "true" in quotes)`},
		{"nothing for string", "name:\nneeded: [A]", `f.yaml:1:6: Outer/x: name: value is empty, but a string is needed`},
		{"map for string", "name: {a: b}\nneeded: [A]", `f.yaml:1:7: Outer/x: name: value is a map, but a string is needed`},
		{"string for list", "name: a\nneeded: A", `f.yaml:2:9: Outer/x: needed: value is a string, but a list is needed`},
		{"string for map", "name: a\nneeded: [A]\ninner: on", `f.yaml:3:8: Outer/x: inner: value is a string, but a map of fields is needed`},
		{"string for bool", "name: a\nneeded: [A]\ninner: {on: yes}", `f.yaml:3:13: Outer/x: inner.on: value is a string, but true or false is needed`},
		{"string for int", `{name: a, needed: [A], count: "3"}`, `f.yaml:1:31: Outer/x: count: value is a string, but a whole number is needed`},
		{"fraction for int", "name: a\nneeded: [A]\ncount: 1.5", `f.yaml:3:8: Outer/x: count: 1.5 is not a whole number that fits`},
		{"beyond 63 bits", "name: a\nneeded: [A]\ncount: 18446744073709551615", `f.yaml:3:8: Outer/x: count: 18446744073709551615 is not a whole number that fits`},
		{"beyond 64 bits", "name: a\nneeded: [A]\ncount: 99999999999999999999", `f.yaml:3:8: Outer/x: count: value is a string, but a whole number is needed`},
		{"hexadecimal", "name: a\nneeded: [A]\namount: 0x10", `f.yaml:3:9: Outer/x: amount: 0x10 is not a plain decimal number such as 12.5`},
		{"exponent", "name: a\nneeded: [A]\ncount: 1e3", `f.yaml:3:8: Outer/x: count: value is a string, but a whole number is needed`},
		{"infinity", "name: a\nneeded: [A]\namount: .inf", `f.yaml:3:9: Outer/x: amount: .inf is not a plain decimal number such as 12.5`},
		{"list for a parsed value", "name: a\nneeded: [A]\namount: [1]", `f.yaml:3:9: Outer/x: amount: value is a list, but a string is needed`},
		{"parser says no", "name: a\nneeded: [A, b]", `f.yaml:2:13: Outer/x: needed[1]: text is not in upper case`},
		{"number key", "name: a\nneeded: [A]\n3: x", `f.yaml:3:1: Outer/x: a field's name is a number, but a string is needed`},
		{"all at once", "nmae: a\nneeded: [b]\ninner: 3", `f.yaml:1:1: Outer/x: nmae: unknown field (did you mean "name"?)
f.yaml:2:10: Outer/x: needed[0]: text is not in upper case
f.yaml:3:8: Outer/x: inner: value is a number, but a map of fields is needed
f.yaml:1:1: Outer/x: name: field is missing`},
		{"anchor", "name: &x a\nneeded: [A]", `f.yaml:1:7: anchors (&) are not supported: write the value out where it is needed`},
		{"alias", "name: a\nneeded: *x", `f.yaml:2:9: aliases (*) are not supported: write the value out where it is needed`},
		{"merge", "name: a\n<<: b", `f.yaml:2:1: merge keys (<<) are not supported: write the fields out`},
		{"tag", "name: !!str 3\nneeded: [A]", `f.yaml:1:7: tags (!) are not supported: a field's type is known`},
		{"complex key", "? a\n: b", `f.yaml:1:1: complex keys (?) are not supported: write the key before a colon`},
		{"deep flow", "name: " + strings.Repeat("[", 100), `f.yaml:1:71: nested too deeply (resources need far fewer than 64 levels)`},
		{"deep block", "name:\n" + strings.Repeat("- ", 100), `f.yaml:2:129: nested too deeply (resources need far fewer than 64 levels)`},
		{"not UTF-8", "name: a\n# \u00e4\xff", `f.yaml:2:4: file is not UTF-8 here (save it in that encoding)`},
		{"a list", "- a\n- b", `f.yaml:1:1: document is a list, but a resource is a map of fields (a resource starts with apiVersion and kind)`},
		{"a string", "hello", `f.yaml:1:1: document is a string, but a resource is a map of fields (a resource starts with apiVersion and kind)`},
		{"nothing", "", ``},
		{"comment", "# nothing\n---\n# still\n", ``},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, got := read(t, test.text); got != test.want {
				t.Errorf("problems are\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestSyntax(t *testing.T) {
	for _, text := range []string{"a: [1, 2", "a: b: c", "\ta: b", "a: 'x", "{", "a: \"\\q\"", "a\nb: c"} {
		_, problems := read(t, text)
		if !strings.HasPrefix(problems, "f.yaml") || strings.Contains(problems, "\n") {
			t.Errorf("%q gives %q, want one problem of the file", text, problems)
		}
	}
}

func TestTooLarge(t *testing.T) {
	for size, want := range map[int]string{
		strictyaml.MaxFileBytes + 1:     "big.yaml: file has more than the limit of 1048576 bytes (split it into several files)",
		strictyaml.MaxDocumentBytes + 1: "big.yaml:3:1: document has 65541 bytes, more than the limit of 65536 (split it into several resources)",
	} {
		_, problems := strictyaml.Parse("big.yaml", []byte("a: b\n\n---\n"+strings.Repeat("#", size)))
		if len(problems) != 1 || problems[0].String() != want {
			t.Errorf("problems are %v, want %s", problems, want)
		}
	}
}

func TestPositions(t *testing.T) {
	docs, problems := strictyaml.Parse("f.yaml", []byte("# two\nname: a\nneeded: [A]\n---\nname: b\ninner:\n  on: true\nneeded:\n  - B\n"))
	if len(problems) > 0 || len(docs) != 2 {
		t.Fatalf("%d documents, problems %v", len(docs), problems)
	}
	second := docs[1]
	second.Decode(&outer{})
	for field, want := range map[string]strictyaml.Position{
		"name": {5, 7}, "inner": {7, 3}, "inner.on": {7, 7}, "inner.words": {7, 3}, "needed[0]": {9, 5}, "other": {5, 1}, "": {5, 1},
	} {
		if got := second.Position(field); got != want {
			t.Errorf("position of %q is %v, want %v", field, got, want)
		}
	}
	if text, ok := second.Text("inner", "on"); ok {
		t.Errorf("a bool reads as the text %q", text)
	}
	if text, ok := second.Text("name"); !ok || text != "b" {
		t.Errorf("name is %q, %v", text, ok)
	}
}

// TestMarkers: documents are cut at markers alone.
func TestMarkers(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\n---\nb: 2\n":             "1 3",
		"---\na: 1\n--- # more\nb: 2\n": "2 4",
		"---\r\na: 1\r\n---\r\nb: 2":    "2 4",
		"a: 1\n--- {b: 2}\n---":         "1 2",
		"a: |\n  ---\n  x\n":            "1",
		"a: 1\n...\n---\nb: 2":          "1 4",
		"---\n---\n---\n":               "",
	} {
		docs, problems := strictyaml.Parse("f.yaml", []byte(text))
		if len(problems) > 0 {
			t.Errorf("%q: %v", text, problems)
			continue
		}
		var lines []string
		for _, d := range docs {
			lines = append(lines, strconv.Itoa(d.Position("").Line))
		}
		if got := strings.Join(lines, " "); got != want {
			t.Errorf("%q has documents in lines %q, want %q", text, got, want)
		}
	}
}

func TestFailed(t *testing.T) {
	docs, _ := strictyaml.Parse("f.yaml", []byte("name: a\nitems: [{on: 3}]\nneeded: [A]"))
	docs[0].Decode(&outer{})
	for field, want := range map[string]bool{
		"items": true, "items[0]": true, "items[0].on": true, "items[0].on.deeper": true,
		"items[0].words": false, "items[1]": false, "item": false, "name": false,
	} {
		if got := docs[0].Failed(field); got != want {
			t.Errorf("Failed(%q) is %v", field, got)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	known := []string{"model", "version", "weight"}
	for word, want := range map[string]string{
		"modle": `did you mean "model"?`, "Version": `did you mean "version"?`, "wieght": `did you mean "weight"?`,
		"something": "known: model, version, weight",
	} {
		if got := strictyaml.DidYouMean(word, known); got != want {
			t.Errorf("DidYouMean(%q) is %q, want %q", word, got, want)
		}
	}
	if got := strictyaml.DidYouMean("x", nil); got != "" {
		t.Errorf("without known words it is %q", got)
	}
}

// FuzzDecode: whatever the bytes, reading ends, every problem names the file,
// and a document without problems has what is required.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"name: a\nneeded: [A]", "name: a\nneeded:\n- A\n---\n- x", "a: {b: [c, {d: e}]}", "? a\n: b", "a: &x [*x]", "<<: {a: b}",
		"a: |\n  x\n y", "%YAML 1.2\n---\na: b", "a: !t b", "\ufeffa: b", "a: \"\\x\"", "[[[[", "- - - -", "a: >-\n\n\n", "'a': \"b\": c", "\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, problems := strictyaml.Parse("f.yaml", data)
		for _, d := range docs {
			var value outer
			d.Decode(&value)
			problems = append(problems, d.Problems()...)
			if len(d.Problems()) == 0 && len(value.Needed) == 0 {
				t.Errorf("a required list is empty without a problem")
			}
		}
		for _, p := range problems {
			if p.File != "f.yaml" || p.Message == "" {
				t.Errorf("problem %+v does not say where and what", p)
			}
		}
	})
}

// TestMoved: a document that was released, and one that stands elsewhere, say
// what they said, in the right place.
func TestMoved(t *testing.T) {
	const text = "kind: [\n---\n# second\nname: 5\nlist:\n  - {count: x}\n...\nname: a\n"
	parts, problems := strictyaml.Split("f.yaml", []byte(text))
	if len(problems) > 0 || len(parts) != 3 || parts[1].Before != 1 || parts[2].Before != 7 {
		t.Fatalf("parts are %+v, %v", parts, problems)
	}
	if doc, problems := parts[0].Parse("f.yaml"); doc != nil || len(problems) != 1 {
		t.Errorf("the first part is %v, %v", doc, problems)
	}
	doc, problems := parts[1].Parse("f.yaml")
	if doc == nil || len(problems) > 0 {
		t.Fatal(problems)
	}
	var into struct {
		Name string `yaml:"name"`
		List []struct {
			Count int `yaml:"count"`
		} `yaml:"list"`
	}
	doc.Decode(&into)
	fields := map[string]strictyaml.Position{
		"": {Line: 4, Column: 1}, "name": {Line: 4, Column: 7}, "list[0].count": {Line: 6, Column: 13},
		"list[0].gone": {Line: 6, Column: 5}, "list[7]": {Line: 6, Column: 3}, "gone": {Line: 4, Column: 1}, "name.inner": {Line: 4, Column: 7},
	}
	checkPlaces(t, doc, "f.yaml", 0, fields)
	doc.Release()
	checkPlaces(t, doc, "f.yaml", 0, fields)
	moved := doc.Moved("g.yaml", 11)
	checkPlaces(t, moved, "g.yaml", 10, fields)
	checkPlaces(t, doc, "f.yaml", 0, fields)
	if !moved.StandsAt("g.yaml", 11) || doc.StandsAt("g.yaml", 11) || moved.Start().Line != 14 {
		t.Error("it does not stand where it was moved")
	}
}

func checkPlaces(t *testing.T, doc *strictyaml.Document, file string, by int, fields map[string]strictyaml.Position) {
	t.Helper()
	for field, want := range fields {
		want.Line += by
		if got := doc.At(field, "x", ""); got.Position != want || got.File != file || doc.File() != file {
			t.Errorf("%q stands at %s %+v, want %+v", field, got.File, got.Position, want)
		}
	}
	if got := doc.Problems(); len(got) != 2 || got[0].Line != 4+by || got[1].Line != 6+by || got[0].File != file {
		t.Errorf("problems are %v", got)
	}
}
