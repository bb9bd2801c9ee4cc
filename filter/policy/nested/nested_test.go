package nested_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/nested"
)

// marker writes what it is given, strings in brackets behind their key.
type marker struct {
	*nested.Scanner
	all, out bytes.Buffer
}

func (m *marker) take(raw []byte) error { m.all.Write(raw); m.out.Write(raw); return nil }

func (m *marker) Pass(raw []byte) error        { return m.take(raw) }
func (m *marker) StringStart()                 { m.out.WriteString("«" + string(m.Key()) + "|") }
func (m *marker) StringBytes(raw []byte) error { return m.take(raw) }
func (m *marker) StringEnd() error             { m.out.WriteString("»"); return nil }

// mark reads raw content in pieces of this size.
func mark(t *testing.T, raw string, size int) string {
	t.Helper()
	m := &marker{Scanner: &nested.Scanner{}}
	m.Reset(8)
	for rest := raw; rest != ""; {
		n := min(size, len(rest))
		if err := m.Bytes([]byte(rest[:n]), m); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := m.End(m); err != nil {
		t.Fatal(err)
	}
	if m.all.String() != raw {
		t.Fatalf("%s in pieces of %d came out as %s", raw, size, m.all.String())
	}
	return m.out.String()
}

func TestScanner(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{`{\"to\":\"a@b.c\"}`, `{\"to\":\"«to|a@b.c»\"}`},
		{`{\"to\":[\"a\", \"b\\n\"],\"n\":13800138000}`, `{\"to\":[\"«to|a»\", \"«to|b\\n»\"],\"n\":13800138000}`},
		{`{\"a\":{\"b\":\"c\"},\"d\":[{\"e\":1},\"f\"]}`, `{\"a\":{\"b\":\"«b|c»\"},\"d\":[{\"e\":1},\"«|f»\"]}`},
		{`{\"a\\u0062\":\"\\u0040\\\"x\"}`, `{\"a\\u0062\":\"«ab|\\u0040\\\"x»\"}`},
		{`\u007b\u0022a\u0022:\u0022\u4e2d\ud83d\ude00\u0022\u007D`, `\u007b\u0022a\u0022:\u0022«a|\u4e2d\ud83d\ude00»\u0022\u007D`},
		{`{\"a\":\"\ud83d\",\"b\":\"\ud83d\ud83d\ude00\ude00\ud83d\n\"}`, `{\"a\":\"«a|\ud83d»\",\"b\":\"«b|\ud83d\ud83d\ude00\ude00\ud83d\n\"}»`},
		{`  \n[\"a\",true]`, `  \n[\"«|a»\",true]`},
		{`call 13800138000`, `«|call 13800138000»`},
		{` \t call`, ` \t «|call»`},
		{`\"a\"`, `«|\"a\"»`},
		{`13800138000`, `«|13800138000»`},
		{`{\"a\":\"b\"} and \"c\"`, `{\"a\":\"«a|b»\"} «|and \"c\"»`},
		{`{call 138}`, `{«|call 138}»`},
		{`[1.x@b.c]`, `[1.«|x@b.c]»`},
		{`{\"a\":\"b\nc\",\"d\":1}`, `{\"a\":\"«a|b\nc\",\"d\":1}»`},
		{`{\"a\":\"b`, `{\"a\":\"«a|b»`},
		{`{\"a`, `{\"a`},
		{`[[[[[[[[[\"a\"]]]]]]]]]`, `[[[[[[[[«|[\"a\"]]]]]]]]]»`},
		{`{\"` + strings.Repeat("k", 65) + `\":\"v\"}`, `{\"` + strings.Repeat("k", 65) + `\":\"«|v»\"}`},
		{``, ``}, {`  `, `  `}, {`\ud83d`, `«|\ud83d»`}, {`{\ud83d`, `{«|\ud83d»`},
	} {
		for size := 1; size <= len(c.raw)+1; size++ {
			if got := mark(t, c.raw, size); got != c.want {
				t.Errorf("%s in pieces of %d:\n%s\nwant %s", c.raw, size, got, c.want)
			}
		}
	}
}

func TestNoAllocation(t *testing.T) {
	raw := []byte(`{\"to\":[\"a\", \"b\\n\"],\"n\":13800138000,\"\u0061\":\"\ud83d\ude00\"} and text`)
	var s nested.Scanner
	var c counter
	if n := testing.AllocsPerRun(100, func() {
		s.Reset(64)
		if err := s.Bytes(raw, &c); err != nil {
			t.Fatal(err)
		}
		if err := s.End(&c); err != nil {
			t.Fatal(err)
		}
	}); n != 0 || c.strings != 404 {
		t.Errorf("%v allocations, %d strings", n, c.strings)
	}
}

type counter struct{ strings int }

func (*counter) Pass([]byte) error        { return nil }
func (c *counter) StringStart()           { c.strings++ }
func (*counter) StringBytes([]byte) error { return nil }
func (*counter) StringEnd() error         { return nil }

// FuzzScanner: any pieces give the same, nothing is lost, and with its string values
// replaced JSON within JSON stays JSON on both levels.
func FuzzScanner(f *testing.F) {
	f.Add(`{"to":"a@b.c","n":[1,"\u0040\n"]}`, uint8(3))
	f.Add(`{"😀":"\ud83d\ude00\"","b":{"c":["d"]}} x`, uint8(1))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		outer, err := json.Marshal(strings.ToValidUTF8(text, "?"))
		if err != nil {
			t.Skip()
		}
		raw := string(outer[1 : len(outer)-1])
		whole := mark(t, raw, len(raw)+1)
		if pieces := mark(t, raw, 1+int(size)); pieces != whole {
			t.Fatalf("%s:\n%s\nin pieces %s", raw, whole, pieces)
		}
		var s jsonscan.Scanner
		s.Reset(8)
		if !json.Valid([]byte(text)) || s.Scan([]byte(text), &ignore{}) != nil {
			return
		}
		r := &replacer{}
		var scanner nested.Scanner
		scanner.Reset(8)
		if scanner.Bytes([]byte(raw), r) != nil || scanner.End(r) != nil {
			t.Fatal("an error that no sink returned")
		}
		var inner string
		if err := json.Unmarshal([]byte(`"`+r.out.String()+`"`), &inner); err != nil {
			t.Fatalf("%s became %s: %v", raw, r.out.String(), err)
		}
		if first := strings.TrimLeft(inner, " \t\r\n"); first != "" && (first[0] == '{' || first[0] == '[') && !json.Valid([]byte(inner)) {
			t.Fatalf("%s became %s", raw, inner)
		}
	})
}

// replacer writes a tag in place of every string.
type replacer struct{ out bytes.Buffer }

func (r *replacer) Pass(raw []byte) error    { r.out.Write(raw); return nil }
func (r *replacer) StringStart()             { r.out.WriteString("<TAG>") }
func (r *replacer) StringBytes([]byte) error { return nil }
func (r *replacer) StringEnd() error         { return nil }

// ignore is a sink of jsonscan.
type ignore struct{}

func (*ignore) Structure([]byte) error   { return nil }
func (*ignore) Begin(bool, int) error    { return nil }
func (*ignore) End(int) error            { return nil }
func (*ignore) KeyStart() error          { return nil }
func (*ignore) KeyBytes([]byte) error    { return nil }
func (*ignore) KeyEnd() error            { return nil }
func (*ignore) StringStart() error       { return nil }
func (*ignore) StringBytes([]byte) error { return nil }
func (*ignore) StringEnd() error         { return nil }
func (*ignore) Scalar([]byte) error      { return nil }
func (*ignore) ScalarEnd() error         { return nil }
