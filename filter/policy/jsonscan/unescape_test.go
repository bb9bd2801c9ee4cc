package jsonscan_test

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/jsonscan"
)

func unescape(raw []byte, room, step int) (string, bool) {
	var u jsonscan.Unescaper
	dst := make([]byte, 0, room)
	full := false
	for len(raw) > 0 && !full {
		n := min(step, len(raw))
		dst, full = u.Append(dst, raw[:n])
		raw = raw[n:]
	}
	if !full {
		dst, full = u.Finish(dst)
	}
	return string(dst), full
}

func TestUnescape(t *testing.T) {
	for raw, want := range map[string]string{
		`plain`:              "plain",
		`\"\\\/\b\f\n\r\t`:   "\"\\/\b\f\n\r\t",
		`\u4E2d\u6587`:       "中文",
		`\ud83d\ude00!`:      "😀!",
		`\ud83d`:             "\ufffd",
		`\ud83dx`:            "\ufffdx",
		`\ud83d\ud83d\ude00`: "\ufffd😀",
		`\ude00\ud83d\n`:     "\ufffd\ufffd\n",
		`m\u006fdel`:         "model",
		`\u0000`:             "\x00",
	} {
		for _, step := range []int{1, 3, 100} {
			if got, full := unescape([]byte(raw), len(raw), step); got != want || full {
				t.Errorf("%s by %d: %q (full %v), want %q", raw, step, got, full, want)
			}
		}
	}
}

func TestUnescapeFull(t *testing.T) {
	if got, full := unescape([]byte(`abc\u4e2d`), 5, 1); !full || got != "abc" {
		t.Errorf("%q, full %v", got, full)
	}
	if _, full := unescape([]byte(`abc\u4e2d`), 6, 1); full {
		t.Error("exact room counts as full")
	}
}

func FuzzUnescape(f *testing.F) {
	f.Add(`"a\ud83d\ude00\u12"`, 2)
	f.Fuzz(func(t *testing.T, text string, step int) {
		raw := []byte(text)
		step = max(1, step&15)
		got, full := unescape(raw, 3*len(raw), step) // any bytes: no panic
		var want string
		if utf8.ValidString(text) && json.Unmarshal([]byte(`"`+text+`"`), &want) == nil {
			if got != want || full {
				t.Fatalf("%q by %d: %q, want %q", text, step, got, want)
			}
		}
	})
}

func FuzzAppendString(f *testing.F) {
	f.Add("a\"\\\x01\n中")
	f.Fuzz(func(t *testing.T, text string) {
		var back string
		quoted := jsonscan.AppendString(nil, text)
		if err := json.Unmarshal(quoted, &back); err != nil {
			t.Fatalf("%q: %v", quoted, err)
		}
		if again := jsonscan.AppendString(nil, back); back == text && string(again) != string(quoted) {
			t.Fatalf("%q is %q, then %q", text, quoted, again)
		}
	})
}

func TestAppendInt(t *testing.T) {
	for _, n := range []int64{0, 7, 10, -1, 123456, math.MaxInt64, math.MinInt64} {
		if got, want := string(jsonscan.AppendInt([]byte("x"), n)), "x"+strconv.FormatInt(n, 10); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
