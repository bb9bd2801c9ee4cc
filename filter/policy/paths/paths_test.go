package paths_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/paths"
)

// marker writes down each string value with its key and mark.
type marker struct {
	paths.Tracker
	out   strings.Builder
	value strings.Builder
}

func (m *marker) Structure([]byte) error         { return nil }
func (m *marker) Begin(object bool, d int) error { m.Tracker.Begin(object, d); return nil }
func (m *marker) End(d int) error                { m.Tracker.End(d); return nil }
func (m *marker) KeyStart() error                { m.Tracker.KeyStart(); return nil }
func (m *marker) KeyBytes(raw []byte) error      { m.Tracker.KeyBytes(raw); return nil }
func (m *marker) KeyEnd() error                  { m.Tracker.KeyEnd(); return nil }
func (m *marker) Scalar([]byte) error            { return nil }
func (m *marker) ScalarEnd() error               { return nil }
func (m *marker) StringBytes(raw []byte) error   { m.value.Write(raw); return nil }

func (m *marker) StringStart() error {
	m.out.WriteByte('0' + byte(m.Mark()))
	m.out.Write(m.Key())
	m.out.WriteByte('=')
	return nil
}

func (m *marker) StringEnd() error {
	m.out.WriteString(m.value.String() + " ")
	m.value.Reset()
	return nil
}

// read returns what a marker writes of a text in pieces of this size.
func read(t *testing.T, set *paths.Set, text string, size int) string {
	t.Helper()
	m := &marker{}
	m.Reset(set)
	var s jsonscan.Scanner
	s.Reset(jsonscan.MaxDepth)
	for rest := text; rest != ""; {
		n := min(size, len(rest))
		if err := s.Scan([]byte(rest[:n]), m); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		rest = rest[n:]
	}
	if err := s.Close(m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return strings.TrimSpace(m.out.String())
}

func TestTracker(t *testing.T) {
	set := paths.Compile([]paths.Rule{
		{"model", 1}, {"messages[*].role", 1}, {"messages[*].content[*].type", 1}, {"messages[*].calls[*].f.arguments", 2},
		{"whole", 3}, {"whole.but.this", 4}, {"not.valid..", 1}, {"twice", 1}, {"over.a[*].b", 1}, {"over.c", 1}, {"late", 1}, {"late.a", 2}, {"list[*][*]", 5},
		{"whole.alone", 7 | paths.Alone}, {"alone", 7 | paths.Alone},
	}, []paths.Rule{{"twice", 2}, {"over", 3}, {"late", 7 | paths.Alone}, {"é中", 6}})
	deep := strings.Repeat(`{"whole":`, 40) + `"v"` + strings.Repeat(`}`, 40)
	deepList := `{"whole":` + strings.Repeat(`[`, 60) + `"v"` + strings.Repeat(`]`, 60) + `,"a":"b"}`
	for _, c := range []struct{ text, want string }{
		{`{"model":"m","a":{"model":"n"}}`, `1model=m 0model=n`},
		{`{"messages":[{"role":"user","content":"c"},{"content":[{"type":"text","text":"t"},"s"]}]}`, `1role=user 0content=c 1type=text 0text=t 0=s`},
		{`{"messages":{"role":"user"}}`, `0role=user`},
		{`{"messages":[{"calls":[{"f":{"arguments":"{}","name":"n"}}]}],"model":"m"}`, `2arguments={} 0name=n 1model=m`},
		{`{"whole":{"a":["b",{"c":"d"}],"but":{"this":"e","that":"f"}},"g":"h"}`, `3a=b 3c=d 4this=e 3that=f 0g=h`},
		{`{"alone":"a","b":{"alone":"c"}}`, `7alone=a 0alone=c`},
		{`{"alone":{"a":"b","c":["d"]},"whole":{"alone":["e"]}}`, `0a=b 0c=d 3alone=e`},
		{`{"over":{"a":[{"b":"c"}],"c":"d"},"late":{"a":"e","b":"f"}}`, `3b=c 3c=d 2a=e 0b=f`},
		{`{"twice":"a"}`, `2twice=a`},
		{`{"list":[["a"],"b",[["c"]]]}`, `5list=a 0=b 5=c`},
		{`{"\u00e9\u4e2d":"a","é中":"b","m\u006fdel":"c"}`, `6é中=a 6é中=b 1model=c`},
		{`"model"`, `0=model`},
		{`["model"]`, `0=model`},
		{`{"` + strings.Repeat("k", 70) + `":"v"}`, `0=v`},
		{deep, `3whole=v`},
		{deepList, `3whole=v 0a=b`},
	} {
		for size := 1; size <= len(c.text); size += 1 + len(c.text)/7 {
			if got := read(t, set, c.text, size); got != c.want {
				t.Errorf("%s in pieces of %d:\n%s\nwant %s", c.text, size, got, c.want)
			}
		}
	}
}

func TestNoRules(t *testing.T) {
	for _, set := range []*paths.Set{nil, paths.Compile(nil)} {
		if got := read(t, set, `{"model":["a",{"b":"c"}]}`, 3); got != `0model=a 0b=c` {
			t.Errorf("got %s", got)
		}
	}
}

func TestCheck(t *testing.T) {
	for path, want := range map[string]error{
		"messages[*].content": nil, "a": nil, "[*]": nil, "[*].a[*][*].b": nil, "a b": nil, "中.é": nil,
		strings.Repeat("a.", 15) + "a": nil, strings.Repeat("n", 64): nil,
		"": paths.ErrEmpty, ".": paths.ErrName, "a.": paths.ErrName, "a..b": paths.ErrName, ".a": paths.ErrName, "a[*].": paths.ErrName,
		strings.Repeat("n", 65): paths.ErrName, strings.Repeat("a.", 16) + "a": paths.ErrSteps,
		"a[0]": paths.ErrItem, "a[": paths.ErrItem, "a[*": paths.ErrItem, "a]": paths.ErrItem, "a[*]b": paths.ErrItem,
	} {
		if got := paths.Check(path); !errors.Is(got, want) && (got != nil || want != nil) {
			t.Errorf("%q: %v, want %v", path, got, want)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	set := paths.Compile([]paths.Rule{{"messages[*].role", 1}})
	text := []byte(`{"messages":[{"role":"user","content":"c"}],"n":1}`)
	var s jsonscan.Scanner
	m := &quiet{}
	if n := testing.AllocsPerRun(100, func() {
		s.Reset(64)
		m.Reset(set)
		if err := s.Scan(text, m); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if m.marked != 101 {
		t.Errorf("%d strings were marked", m.marked)
	}
}

// quiet counts the strings that are marked.
type quiet struct {
	marker
	marked int
}

func (q *quiet) StringStart() error       { q.marked += int(q.Mark()); return nil }
func (q *quiet) StringBytes([]byte) error { return nil }
func (q *quiet) StringEnd() error         { return nil }

func FuzzTracker(f *testing.F) {
	f.Add(`messages[*].content`, `{"messages":[{"content":"a"}]}`, uint8(3))
	f.Add(`a.b[*][*].c`, `{"a":{"b":[[{"c":["x"]}]]}}`, uint8(1))
	f.Fuzz(func(t *testing.T, path, text string, size uint8) {
		var s jsonscan.Scanner
		s.Reset(jsonscan.MaxDepth)
		probe := &quiet{}
		if s.Scan([]byte(text), probe) != nil || s.Close(probe) != nil {
			t.Skip()
		}
		set := paths.Compile([]paths.Rule{{path, 1}})
		if whole, pieces := read(t, set, text, len(text)), read(t, set, text, 1+int(size)); whole != pieces {
			t.Errorf("whole %s, in pieces %s", whole, pieces)
		}
	})
}
