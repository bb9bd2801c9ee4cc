package tokens_test

import (
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/filter/policy/tokens"
)

func estimate(chunks ...string) int64 {
	var e tokens.Estimator
	e.StringStart()
	for _, c := range chunks {
		e.Bytes([]byte(c))
	}
	e.StringEnd()
	return e.Tokens(nil)
}

// The bounds are a third around the counts that current vocabularies of
// 100,000 to 200,000 entries give for such text.
func TestOrdinaryText(t *testing.T) {
	english := `The service keeps a small cache of recent answers, so that repeated questions cost nothing. ` +
		`When the cache is full, the oldest entry is dropped. You can turn it off with a single flag, but we do not recommend that in production.`
	chinese := `请帮我写一封邮件，通知客户我们的系统将于本周六凌晨两点进行升级，预计持续三个小时。`
	code := `func main() {\n\tfor i := 0; i < 10; i++ {\n\t\tfmt.Println(\"value\", items[i])\n\t}\n}\n`
	for _, c := range []struct {
		name, text string
		low, high  int64
	}{
		{"empty", "", 0, 0},
		{"word", "hello", 1, 1},
		{"greeting", "Hello, world!", 3, 5},
		{"pangram", "The quick brown fox jumps over the lazy dog.", 9, 12},
		{"english", english, 42, 70},
		{"chinese", chinese, 28, 50},
		{"chinese escaped", `\u8bf7\u5e2e\u6211\u5199\u4e00\u5c01\u90ae\u4ef6`, 7, 10},
		{"code", code, 30, 50},
		{"number", "1234567890", 3, 5},
		{"russian", "Привет, как дела сегодня", 6, 14},
		{"japanese", "これはテストです", 5, 10},
		{"emoji", "😀😀", 2, 6},
		{"emoji escaped", `\ud83d\ude00`, 1, 3},
		{"uuid", "550e8400-e29b-41d4-a716-446655440000", 12, 28},
	} {
		if got := estimate(c.text); got < c.low || got > c.high {
			t.Errorf("%s: %d tokens, want %d to %d", c.name, got, c.low, c.high)
		}
	}
}

func TestParts(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
	}{
		{"a", 1}, {"sixsix", 1}, {"seven77", 2}, {"elevenletts", 3}, {"123", 1}, {"1234", 2},
		{"==", 1}, {"===", 2}, {" ", 0}, {"  ", 1}, {`\n`, 1}, {`\n\n\n`, 1}, {`\"`, 1}, {`\/`, 1}, {`\\`, 1},
		{`\u0061\u0062`, 1}, {`\u4f60`, 2 /* 1.1 rounded up */}, {"\x80", 1}, {`\u12`, 0}, {`\u12x`, 2},
	} {
		if got := estimate(c.text); got != c.want {
			t.Errorf("%q: %d tokens, want %d", c.text, got, c.want)
		}
	}
}

// What is counted is what tokenizers cut text into; the prices come later.
func TestCounts(t *testing.T) {
	for _, c := range []struct {
		text string
		want tokens.Counts
	}{
		{"", tokens.Counts{}},
		{"I internationalise", tokens.Counts{spec.ClassWords: 2, spec.ClassPieces: 3}},
		{"sixsix seven77 12345", tokens.Counts{spec.ClassWords: 2, spec.ClassNumbers: 3}},
		{`a == b;\n\treturn`, tokens.Counts{spec.ClassWords: 3, spec.ClassMarks: 2, spec.ClassSpaces: 1}},
		{`你好，мир 𠮷😀\ud83d\ude00`, tokens.Counts{spec.ClassHan: 3, spec.ClassWide: 1, spec.ClassLetters: 3, spec.ClassEmoji: 4}},
	} {
		var e tokens.Estimator
		e.StringStart()
		e.Bytes([]byte(c.text))
		if got := e.Counts(); got != c.want {
			t.Errorf("%q: %v, want %v", c.text, got, c.want)
		}
	}
}

func TestPrices(t *testing.T) {
	counts := tokens.Counts{spec.ClassWords: 3, spec.ClassHan: 2, spec.ClassMessages: 1, spec.ClassRequests: 1}
	for _, c := range []struct {
		prices *spec.Estimate
		want   int64
	}{
		{nil, 10 /* 3 + 2.2 + 4, rounded up */},
		{&spec.DefaultEstimate, 10},
		{&spec.Estimate{}, 0},
		{&spec.Estimate{spec.ClassWords: 1_001}, 4},
		{&spec.Estimate{spec.ClassHan: 750, spec.ClassRequests: 2_500}, 4},
	} {
		if got := counts.Tokens(c.prices); got != c.want {
			t.Errorf("%v: %d tokens, want %d", c.prices, got, c.want)
		}
	}
}

func TestStringsAndMessages(t *testing.T) {
	var e tokens.Estimator
	for range 3 {
		e.Message()
		e.StringStart()
		e.Bytes([]byte("two"))
		e.StringEnd()
	}
	if got := e.Tokens(nil); got != 15 {
		t.Errorf("three messages of a word: %d tokens, want 15", got)
	}
	e.StringStart()
	e.Bytes([]byte("open"))
	if a, b := e.Tokens(nil), e.Tokens(nil); a != 16 || b != 16 {
		t.Errorf("asked twice within a string: %d, %d, want 16, 16", a, b)
	}
}

func TestNoAllocation(t *testing.T) {
	text := []byte(strings.Repeat(`Hello 你好 \n \u4f60 42 `, 40))
	var e tokens.Estimator
	if n := testing.AllocsPerRun(100, func() { e.StringStart(); e.Bytes(text); e.StringEnd(); e.Tokens(nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzChunks(f *testing.F) {
	f.Add(`Hello, \"world\" 你好😀 \u4f60\ud83d\ude00 12345`, uint8(3))
	f.Add("\xe4\xbd \\u00zz \\", uint8(1))
	f.Fuzz(func(t *testing.T, text string, cut uint8) {
		whole := estimate(text)
		var chunks []string
		n := int(cut)%7 + 1
		for i := 0; i < len(text); i += n {
			chunks = append(chunks, text[i:min(i+n, len(text))])
		}
		if got := estimate(chunks...); got != whole {
			t.Errorf("chunks of %d: %d tokens, whole: %d", n, got, whole)
		}
		if whole < 0 || whole > int64(2*len(text)+1) {
			t.Errorf("%d tokens of %d bytes", whole, len(text))
		}
	})
}

func BenchmarkChat(b *testing.B) {
	for name, text := range map[string]string{
		"english": strings.Repeat("The service keeps a small cache of recent answers, so ", 20)[:1024],
		"chinese": strings.Repeat("请帮我写一封邮件，通知客户我们的系统", 20)[:1023],
		"escaped": strings.Repeat(`\u8bf7\u5e2e\u6211\u5199`, 43)[:1020],
	} {
		b.Run(name, func(b *testing.B) {
			p := []byte(text)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			var e tokens.Estimator
			for b.Loop() {
				e.StringStart()
				e.Bytes(p)
				e.StringEnd()
			}
		})
	}
}
