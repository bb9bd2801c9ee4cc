package source

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

func set(documents ...string) Set {
	var s Set
	for i := 0; i < len(documents); i += 2 {
		s.Documents = append(s.Documents, Document{Name: documents[i], Data: []byte(documents[i+1])})
	}
	return s
}

func resource(kind, name, value string) string {
	return fmt.Sprintf("kind: %s\nmetadata:\n  name: %s\nvalue: %s\n", kind, name, value)
}

// inForce are the resources of a set, as "Kind/name=value at line".
func inForce(t *testing.T, s Set) string {
	t.Helper()
	var all []string
	for _, d := range s.Documents {
		documents, problems := strictyaml.Parse(d.Where(), d.Data)
		for _, p := range problems {
			all = append(all, p.File+"!")
		}
		for _, document := range documents {
			kind, _ := document.Text("kind")
			name, _ := document.Text("metadata", "name")
			value, _ := document.Text("value")
			all = append(all, fmt.Sprintf("%s/%s=%s at %s:%d", kind, name, value, d.Where(), document.Position("").Line))
		}
	}
	return strings.Join(all, "\n")
}

func merging(t *testing.T, labels ...string) *merger {
	t.Helper()
	var sources []Source
	for _, label := range labels {
		sources = append(sources, &fake{name: label})
	}
	m, err := newMerger(sources)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPrecedence(t *testing.T) {
	base := "# first\n" + resource("Model", "one", "base") + "---\n# second\n" + resource("Model", "two", "base") + "--- # third\n" +
		resource("Limit", "one", "base")
	m := merging(t, "base", "over", "top")
	merged, overrides := m.merge([]Set{
		set("a.yaml", base),
		set("b.yaml", resource("Model", "two", "over"), "c.yaml", resource("Limit", "one", "over")),
		set("d.yaml", "\n"+resource("Limit", "one", "top")),
	})
	want := "Model/one=base at base/a.yaml:2\nModel/two=over at over/b.yaml:1\nLimit/one=top at top/d.yaml:2"
	if got := inForce(t, merged); got != want {
		t.Errorf("in force:\n%s\nwant:\n%s", got, want)
	}
	var said []string
	for _, o := range overrides {
		said = append(said, o.String())
	}
	if want := []string{
		"Model/two of base/a.yaml:8 has no effect: a later source defines it, in over/b.yaml:1",
		"Limit/one of base/a.yaml:13 has no effect: a later source defines it, in top/d.yaml:2",
		"Limit/one of over/c.yaml:1 has no effect: a later source defines it, in top/d.yaml:2",
	}; !slices.Equal(said, want) {
		t.Errorf("overrides %q\nwant %q", said, want)
	}
}

// TestPrecedenceForms: resources are taken out wherever YAML lets them stand.
func TestPrecedenceForms(t *testing.T) {
	gone := resource("Model", "gone", "base")
	for name, base := range map[string]string{
		"alone":                  gone,
		"last":                   resource("Model", "kept", "base") + "---\n" + gone,
		"first":                  gone + "---\n" + resource("Model", "kept", "base"),
		"no line end":            resource("Model", "kept", "base") + "---\n" + strings.TrimSpace(gone),
		"on the marker's line":   resource("Model", "kept", "base") + "--- {kind: Model, metadata: {name: gone}}\n---\n" + resource("Model", "kept2", "base"),
		"ended by dots":          gone + "...\n" + resource("Model", "kept", "base"),
		"after dots":             resource("Model", "kept", "base") + "...\n" + gone,
		"with Windows line ends": strings.ReplaceAll(resource("Model", "kept", "base")+"---\n"+gone+"---\n"+resource("Model", "kept2", "base"), "\n", "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := merging(t, "base").merge([]Set{set("a", base)})
			merged, overrides := merging(t, "base", "over").merge([]Set{set("a", base), set("b", resource("Model", "gone", "over"))})
			var want []string
			for _, line := range strings.Split(inForce(t, before), "\n") {
				if line = strings.Replace(line, " a:", " base/a:", 1); !strings.HasPrefix(line, "Model/gone=") {
					want = append(want, line)
				}
			}
			want = append(want, "Model/gone=over at over/b:1")
			got := inForce(t, merged)
			if got != strings.Join(want, "\n") || len(overrides) != 1 {
				t.Errorf("in force:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
			}
		})
	}
}

// TestPrecedenceBroken: what an unreadable document overrode stays overridden.
func TestPrecedenceBroken(t *testing.T) {
	m := merging(t, "base", "over")
	base, over := resource("Model", "one", "base"), resource("Model", "one", "over")
	m.merge([]Set{set("a", base), set("b", over)})
	merged, overrides := m.merge([]Set{set("a", base), set("b", over+"}")})
	if got := inForce(t, merged); got != "over/b!" || len(overrides) != 1 {
		t.Errorf("in force: %s (%d overrides)", got, len(overrides))
	}
	if merged, _ = m.merge([]Set{set("a", base+"}"), set("b", over)}); string(merged.Documents[0].Data) != base+"}" {
		t.Errorf("lines were taken out of what cannot be read: %q", merged.Documents[0].Data)
	}
	if merged, _ = m.merge([]Set{set("a", base), set()}); inForce(t, merged) != "Model/one=base at base/a:1" {
		t.Errorf("in force: %s", inForce(t, merged))
	}
}

// TestTwiceInOneSource is left to the catalog, which says where both stand.
func TestTwiceInOneSource(t *testing.T) {
	m := merging(t, "base", "over")
	twice := resource("Model", "one", "first") + "---\n" + resource("Model", "one", "second")
	merged, overrides := m.merge([]Set{set("a", twice), set()})
	if got := inForce(t, merged); strings.Count(got, "Model/one") != 2 || overrides != nil {
		t.Errorf("in force: %s, overridden %v", got, overrides)
	}
}

// TestSameSlices: what did not change is the same slice, so that whoever comes
// after can tell at once.
func TestSameSlices(t *testing.T) {
	m := merging(t, "base", "over")
	sets := []Set{
		set("a", resource("Model", "one", "base")+"---\n"+resource("Model", "two", "base"), "c", resource("Model", "three", "base")),
		set("b", resource("Model", "one", "over")),
	}
	first, _ := m.merge(sets)
	sets[1] = set("b", resource("Model", "one", "newer"))
	second, _ := m.merge(sets)
	for i := range 2 {
		if &first.Documents[i].Data[0] != &second.Documents[i].Data[0] {
			t.Errorf("%s is another slice", first.Documents[i].Name)
		}
	}
}

func TestNames(t *testing.T) {
	one, _ := merging(t, "base").merge([]Set{set("a", "x")})
	two, _ := merging(t, "base/", "over").merge([]Set{set("a", "x"), set("a", "x")})
	got := []string{one.Documents[0].Name, one.Documents[0].Origin, two.Documents[0].Name, two.Documents[1].Name}
	if want := []string{"a", "a", "base/a", "over/a"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	// A folder of certificates is no source of documents.
	certificates := Set{Certificates: map[string][]byte{"tls.key": []byte("k")}}
	three, _ := merging(t, "base", "").merge([]Set{set("a", "x"), certificates})
	if three.Documents[0].Name != "a" || string(three.Certificates["tls.key"]) != "k" {
		t.Errorf("got %+v", three)
	}
}

// FuzzPrecedence: whatever a document holds, nothing but what a later source
// defines goes, and nothing moves.
func FuzzPrecedence(f *testing.F) {
	f.Add([]byte(resource("Model", "gone", "1") + "---\n" + resource("Model", "kept", "1")))
	f.Add([]byte("--- {kind: Model, metadata: {name: gone}}\n...\nkind: Model\n--- |\n x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := Document{Name: "a", Data: data}
		found, readable := definitions(d)
		if !readable {
			return
		}
		var gone []definition
		var want []string
		for _, def := range found {
			if def.resource == "Model/gone" {
				gone = append(gone, def)
			} else {
				want = append(want, fmt.Sprintf("%s:%d", def.resource, def.from))
			}
		}
		if len(gone) == 0 {
			return
		}
		left, readable := definitions(Document{Name: "a", Data: without(data, gone)})
		var got []string
		for _, def := range left {
			got = append(got, fmt.Sprintf("%s:%d", def.resource, def.from))
		}
		if !readable || !slices.Equal(got, want) {
			t.Errorf("of %q are left %q, want %q", data, got, want)
		}
	})
}

func BenchmarkMerge(b *testing.B) {
	sources := []Source{&fake{name: "base"}, &fake{name: "over"}}
	m, err := newMerger(sources)
	if err != nil {
		b.Fatal(err)
	}
	var base Set
	for i := range 10_000 {
		base.Documents = append(base.Documents, Document{Name: fmt.Sprint(i), Data: []byte(resource("Model", fmt.Sprint("m", i), "1"))})
	}
	i := 0
	for b.Loop() {
		i++
		m.merge([]Set{base, set("b", resource("Model", "m7", fmt.Sprint(i)))})
	}
}

// TestListsAreNoResources: what stands in a list of words defines nothing, whatever it
// looks like, and both sources' lists stay.
func TestListsAreNoResources(t *testing.T) {
	text := resource("Model", "one", "words")
	merged, overrides := merging(t, "base", "over").merge([]Set{set("a.words", text, "b.yaml", resource("Model", "two", "base")), set("a.words", text, "c.yaml", resource("Model", "one", "over"))})
	var names []string
	for _, d := range merged.Documents {
		names = append(names, d.Name)
		if IsList(d.Name) && string(d.Data) != text {
			t.Errorf("%s is %q", d.Name, d.Data)
		}
	}
	if want := []string{"base/a.words", "base/b.yaml", "over/a.words", "over/c.yaml"}; len(overrides) > 0 || !slices.Equal(names, want) {
		t.Errorf("documents %q, overrides %v", names, overrides)
	}
}
