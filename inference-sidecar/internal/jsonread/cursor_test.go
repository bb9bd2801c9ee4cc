package jsonread_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/weirmesh/weir/inference-sidecar/internal/jsonread"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		`""`: "", ` "a b" `: "a b", `"\"\\\/\b\f\n\r\t"`: "\"\\/\b\f\n\r\t", `"\u0041\u4f60\uD83d\ude00"`: "A你😀", `"你好😀"`: "你好😀", `"\u0000"`: "\x00",
	} {
		c := jsonread.New([]byte(in))
		if got, err := c.Text(); err != nil || got != want || c.End() != nil {
			t.Errorf("%s: got %q, %v", in, got, err)
		}
	}
	for _, in := range []string{``, `"`, `"\`, `"\"`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\ud83d"`, `"\ud83dx"`, `"\ud83d\u0041"`, `"\ude00"`, "\"\n\"", "\"\xff\"", `'a'`} {
		var syntax *jsonread.SyntaxError
		if got, err := jsonread.New([]byte(in)).Text(); !errors.As(err, &syntax) {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
}

func TestIntegersAreExact(t *testing.T) {
	for _, c := range []struct {
		in   string
		bits int
		want int64
		ok   bool
	}{
		{"9223372036854775807", 64, math.MaxInt64, true}, {"-9223372036854775808", 64, math.MinInt64, true}, {"9007199254740993", 64, 9007199254740993, true},
		{"9223372036854775808", 64, 0, false}, {"127", 8, 127, true}, {"128", 8, 0, false}, {"-129", 8, 0, false}, {"-0", 8, 0, true},
		{"1.0", 64, 0, false}, {"1e2", 64, 0, false}, {`"1"`, 64, 0, false}, {"true", 64, 0, false}, {"NaN", 64, 0, false},
	} {
		got, err := jsonread.New([]byte(c.in)).Int(c.bits)
		var value *jsonread.ValueError
		if c.ok != (err == nil) || got != c.want || err != nil && !errors.As(err, &value) {
			t.Errorf("%s in %d bits: got %d, %v", c.in, c.bits, got, err)
		}
	}
	for in, ok := range map[string]bool{"18446744073709551615": true, "18446744073709551616": false, "-1": false} {
		if _, err := jsonread.New([]byte(in)).Uint(64); ok != (err == nil) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestFloats(t *testing.T) {
	for in, want := range map[string]float64{
		"1": 1, "-1.5e-3": -0.0015, "NaN": math.NaN(), `"NaN"`: math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1), `"-Infinity"`: math.Inf(-1),
	} {
		got, err := jsonread.New([]byte(in)).Float(64)
		if err != nil || got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s: got %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"1e400", `"1"`, `"NaNa"`, "Nan", "Inf", "-Inf", "+1", "01", "1.", ".5", "-", "1e", "null", ""} {
		c := jsonread.New([]byte(in))
		if got, err := c.Float(64); err == nil && c.End() == nil {
			t.Errorf("%s: got %v", in, got)
		}
	}
	if _, err := jsonread.New([]byte("1e39")).Float(32); err == nil {
		t.Error("1e39 fits into 32 bits")
	}
}

func TestDuplicateKeys(t *testing.T) {
	many := strings.Builder{}
	for i := range 40 {
		many.WriteString(`"` + strings.Repeat("k", i+1) + `":1,`)
	}
	for in, dup := range map[string]bool{
		`{"a":1,"b":2}`: false, `{"a":1,"a":2}`: true, `{"a":1,"\u0061":2}`: true, `{"a":{"a":1},"b":[{"a":1}]}`: false,
		"{" + many.String() + `"x":1}`: false, "{" + many.String() + `"kkk":1}`: true,
	} {
		_, err := jsonread.New([]byte(in)).Skip()
		if dup != (err != nil) || dup && !strings.Contains(err.Error(), "occurs twice") {
			t.Errorf("%.40s: %v", in, err)
		}
	}
}

func TestKeysAreBounded(t *testing.T) {
	object := func(n int) []byte {
		var b []byte
		for i := range n {
			b = fmt.Appendf(b, `,"%d":0`, i)
		}
		b[0] = '{'
		return append(b, '}')
	}
	if _, err := jsonread.New(object(jsonread.MaxKeys)).Skip(); err != nil {
		t.Error(err)
	}
	if _, err := jsonread.New(object(jsonread.MaxKeys + 1)).Skip(); err == nil || !strings.Contains(err.Error(), "an object of more than 4096 keys") {
		t.Errorf("one more: %v", err)
	}
}

func TestDepth(t *testing.T) {
	deep := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if _, err := jsonread.New(deep(jsonread.MaxDepth)).Skip(); err != nil {
		t.Error(err)
	}
	if _, err := jsonread.New(deep(jsonread.MaxDepth + 1)).Skip(); err == nil {
		t.Error("one deeper is taken")
	}
	if _, err := jsonread.New([]byte(strings.Repeat("[[],", 10_000))).Skip(); err == nil {
		t.Error("brackets without end are taken")
	}
}

// FuzzSkip holds Skip against encoding/json: both take the same documents but for what this package refuses on purpose
// or, with NaN, takes on purpose.
func FuzzSkip(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e+3,true,null,"x\n"],"b":{}}`, `[1,]`, `{"a":1,}`, `"\ud800"`, "NaN", `[[[]]]`, ` {} x`, `{"a":1,"a":1}`, "-", "1 2"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := jsonread.New(b)
		_, err := c.Skip()
		if err == nil {
			err = c.End()
		}
		valid := json.Valid(b)
		switch {
		case err == nil && !valid && !strings.Contains(string(b), "NaN") && !strings.Contains(string(b), "Infinity"):
			t.Errorf("%q is taken and is no JSON", b)
		case err != nil && valid:
			for _, reason := range []string{"occurs twice", "nested deeper", "lone surrogate", "not UTF-8", "keys"} {
				if strings.Contains(err.Error(), reason) {
					return
				}
			}
			t.Errorf("%q is JSON and refused: %v", b, err)
		}
	})
}
