package redact_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/policytest"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// values are one of each kind, plain and spelled.
var values = []struct{ in, tag string }{
	{"13812345678", "<PHONE>"},
	{"+86-138-1234-5678", "<PHONE>"},
	{"zhang@example.com", "<EMAIL>"},
	{"11010519491231002X", "<RESIDENT_ID>"},
	{"4111111111111111", "<BANK_CARD>"},
	{"4111 1111 1111 1111", "<BANK_CARD>"},
	{`\u0031\u0033812345678`, "<PHONE>"},
	{"１３８12345678", "<PHONE>"},
	{`zhang\u200b%40example.com`, "<EMAIL>"},
}

// A run has no break in which a redactor could take breath; what is in it is
// found all the same, at every place, and in every kind of chunk.
func TestMatchesInLongRuns(t *testing.T) {
	for _, v := range values {
		for _, filler := range []string{"ghij_", "k-", "z.9-", `\u0067_`, "ｚ_", "q\u200b_", "12 "} {
			for at := 0; at < 300; at += 1 + at/64 {
				// A local part reaches as far back as it may; its filler must not be one.
				end := []string{"_", "/"}[at/2%2]
				head := strings.Repeat(filler, at)
				if strings.Contains(v.in, "@") || strings.Contains(v.in, "%40") {
					head += "@"
				}
				in := head + v.in + end + strings.Repeat(filler, 300-at)
				want := head + v.tag + end + strings.Repeat(filler, 300-at)
				for _, sizes := range [][]int{{1 << 20}, {1}, {97, 3}} {
					if got, _ := apply(t, tagAll, in, sizes...); got != want {
						t.Fatalf("%q after %d of %q in chunks of %v:\n got  %q\n want %q", v.in, at, filler, sizes, got, want)
					}
				}
			}
		}
	}
}

// Of a local part without end, the last 64 characters are masked.
func TestLocalPartTooLong(t *testing.T) {
	in := strings.Repeat("a", 1000) + "@example.com"
	want := strings.Repeat("a", 937) + strings.Repeat("*", 63) + "@example.com"
	for _, size := range []int{1, 50, 5000} {
		if got, _ := apply(t, maskAll, in, size); got != want {
			t.Errorf("chunks of %d: %q", size, got)
		}
	}
}

// A domain without end does not save the address before it.
func TestDomainTooLong(t *testing.T) {
	in := "zhang@" + strings.Repeat("example.", 200) + "com"
	for _, size := range []int{1, 50, 5000} {
		if got, _ := apply(t, maskAll, in, size); got != "z****"+in[5:] {
			t.Errorf("chunks of %d: %q", size, got)
		}
	}
}

// 32 bytes that do not show are skipped between two characters, more are not.
func TestSkippedBytes(t *testing.T) {
	for n, found := range map[int]bool{1: true, 10: true, 11: false, 1000: false} {
		in := "138" + strings.Repeat("\u200b", n) + "12345678"
		for _, size := range []int{1, 5000} {
			if got, _ := apply(t, tagAll, in, size); (got == "<PHONE>") != found {
				t.Errorf("%d zero-width spaces in chunks of %d: %q", n, size, got)
			}
		}
	}
}

// meter records how far the output is behind the input.
type meter struct{ written int }

func (m *meter) Write(p []byte) error { m.written += len(p); return nil }

func TestHoldBackIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		unit string
		most int
	}{
		"words":       {"ghij", 256},
		"digits":      {"7", 256},
		"groups":      {"7 ", 256},
		"at":          {"@", 256},
		"domain":      {"a@b.cd.", 256},
		"text":        {"some plain text, ", 8},
		"escapes":     {`\u0067`, 1024},
		"zero width":  {"q\u200b\u200b\u200b", 1024},
		"long spaces": {"q" + strings.Repeat("\u200b", 10), 1024},
		"only hidden": {"\u200b", 64},
		"percent":     {"%", 256},
		"backslash":   {`\\`, 4},
		"half escape": {`\u00`, 12},
	} {
		var r redact.Redactor
		out := &meter{}
		r.Reset(maskAll, &redact.Session{}, out)
		r.StringStart()
		in, worst := strings.Repeat(c.unit, 3000/len(c.unit)), 0
		for i := range len(in) {
			if err := r.Bytes([]byte(in[i : i+1])); err != nil {
				t.Fatal(err)
			}
			worst = max(worst, i+1-out.written)
		}
		if worst > c.most {
			t.Errorf("%s: %d bytes held back, want at most %d", name, worst, c.most)
		}
	}
}

// Values between random text that cannot touch them are all found, and nothing
// else is.
func TestRandomText(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	filler := []string{"word", "中文字", "42", "2024-11-05", "，", `\n`, `\"`, `\u4f60`, "50%", "a.b", "x-y", "😀", "——", "e=mc2", `\/`, "(", ")", "1.5;"}
	for round := range 2000 {
		var in, want strings.Builder
		for range 1 + rng.IntN(40) {
			f := filler[rng.IntN(len(filler))]
			in.WriteString(f)
			want.WriteString(f)
			if rng.IntN(3) == 0 {
				v := values[rng.IntN(len(values))]
				sep := []string{"；", `\n`, "/", "中", "\\\""}[rng.IntN(5)]
				in.WriteString(sep + v.in + sep)
				want.WriteString(sep + v.tag + sep)
			}
		}
		sizes := []int{1 + rng.IntN(100), 1 + rng.IntN(10)}
		if got, _ := apply(t, tagAll, in.String(), sizes...); got != want.String() {
			t.Fatalf("round %d in chunks of %v:\n in   %q\n got  %q\n want %q", round, sizes, in.String(), got, want.String())
		}
	}
}

// Random numbers with a right check digit are found however they are grouped.
func TestRandomNumbers(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for range 3000 {
		id := residentID(fmt.Sprintf("%02d%04d%04d%02d%02d%03d", []int{11, 37, 44, 50, 65, 83}[rng.IntN(6)], rng.IntN(10000),
			1900+rng.IntN(200), 1+rng.IntN(12), 1+rng.IntN(28), rng.IntN(1000)))
		if got, _ := apply(t, tagAll, "："+id+"。"); got != "：<RESIDENT_ID>。" {
			t.Fatalf("resident ID %s: %q", id, got)
		}
		card := fmt.Sprintf("62%013d", rng.Int64N(1e13))
		card += string(luhnDigit(card))
		grouped := card[:4] + " " + card[4:8] + "-" + card[8:12] + " " + card[12:]
		for _, c := range []string{card, grouped} {
			if got, _ := apply(t, tagAll, c); got != "<BANK_CARD>" {
				t.Fatalf("card %s: %q", c, got)
			}
		}
	}
}

// FuzzChunks feeds strange bytes: any chunking gives the same, what is not
// replaced stays, and valid content stays valid.
func FuzzChunks(f *testing.F) {
	for _, file := range goldenFiles(f) {
		cases, _ := readGolden(f, file)
		for i, c := range cases {
			if i%7 == 0 {
				f.Add(c.in, uint8(i), uint8(3))
			}
		}
	}
	for _, v := range values {
		f.Add(strings.Repeat(`\u0067_`, 200)+"@"+v.in+"\xff\xe2\x80"+`\u12`, uint8(7), uint8(1))
	}
	f.Fuzz(func(t *testing.T, in string, a, b uint8) {
		for _, r := range []*redact.Rules{maskAll, tagAll, everything} {
			want, n := apply(t, r, in)
			for _, sizes := range [][]int{{1}, {int(a) + 1, int(b) + 1}} {
				if got, m := apply(t, r, in, sizes...); got != want || m != n {
					t.Errorf("chunks of %v:\n in   %q\n got  %q %v\n want %q %v", sizes, in, got, m, want, n)
				}
			}
			if n == (counts{}) && want != in {
				t.Errorf("%q became %q with nothing found", in, want)
			}
			if validJSON(in) && !validJSON(want) {
				t.Errorf("%q became invalid: %q", in, want)
			}
			if r != maskAll && !keepsAround(in, want, n) {
				t.Errorf("%q became %q: %v tags, and something around them is not as it was", in, want, n)
			}
		}
	})
}

// anyTag is what stands in place of a value.
var anyTag = regexp.MustCompile(`<[A-Z_]+>`)

// keepsAround says whether a tagged text is the text with a part of it replaced by each
// tag, as many as were counted at least, and with all else as it was.
func keepsAround(text, tagged string, n counts) bool {
	around := anyTag.Split(tagged, -1)
	tags := 0
	for _, k := range n {
		tags += int(k)
	}
	if len(around)-1 < tags || !strings.HasPrefix(text, around[0]) {
		return false
	}
	rest := text[len(around[0]):]
	for i, part := range around[1:] {
		at := strings.Index(rest, part)
		if i == len(around)-2 {
			at = len(rest) - len(part)
		}
		if at < 0 || !strings.HasPrefix(rest[at:], part) {
			return false
		}
		rest = rest[at+len(part):]
	}
	return rest == "" || len(around) == 1 && text == tagged
}

var (
	rounds = flag.Int("rounds", 8_000, "how many random texts are redacted in pieces")
	seed   = flag.Uint64("seed", 16, "which ones")
)

// Pieces that mean something to the redactor, in random order: the fast search
// of a whole chunk and the window fed byte by byte must agree. `go test -run
// TestRandomPieces -rounds 1000000 -seed 2` makes more and other texts.
func TestRandomPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, *seed))
	pieces := []string{
		"1", "38", "138", "1234", "5678", "13812345678", "4111", "1111", "0", ".", "0.", "+", "+86", "86", "0086", "-", " ", "–", "　", "@", "＠",
		"a", "f", "gh", "zhang", "com", ".com", "example.com", "xn--a", "_", "'", "~", "%", "%4", "%40", "%20", "%2B", "%1", "%E4", "40",
		"\u200b", `\u200b`, "\u00ad", "\ufe0f", `\ud83d`, `\ude00`, `\udb40`, `\udc41`, `\u00`, `\u0031`, `\u0040`, `\u002e`, `\u002b`, "１", "ｚ", "．",
		`\`, `\n`, `\\`, `\/`, "u0031", "中", "，", "\xe4", "\xe2\x80", "\xef\xbc", "\xf3\xa0\x81\x81", "\xff", "é",
		"11010519491231002X", "4111111111111111", "110105", "19491231", "002X", strings.Repeat("q", 70), strings.Repeat("\u200b", 12),
		strings.Repeat(`\u0067`, 40), strings.Repeat("b.", 70),
		"京", "粤", "\xe4\xba", "A", "B1", "·", "京A12345", "粤B12345D", "挂", "ghp_", "gh", "p_", "sk-", "eyJ", "hbGciOi", "AKIA", "://", ":", "/", "u:p@h.cn",
		"-----", "BEGIN ", "PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", `\n`, "Bearer ", "basic ", "dXNlcjpwYXNz", "::", "ab:", "fe80",
		"GB82 WEST", "1234 5698 7654 32", "E12345678", "H1234", "A123456(3)", "(", ")", "(010)", "6234", "护照", "passport ", "phone", "电话", "电", "192.168.", "1.2", "914-27-6083",
		"12345678", "LSVAA4182E", "2184847", "٣", "३", "𝟙", `\ud835\udfd9`, `\ud835`, `\\u0031`, `\\n`, `\\`, "91350100M0", "00100Y43", "A1b2C3d4E5f6G7h8I9j0", "\u2011", "　",
	}
	for round := range *rounds {
		var b strings.Builder
		for range 1 + rng.IntN(30) {
			b.WriteString(pieces[rng.IntN(len(pieces))])
		}
		in := b.String()
		if round%2 == 1 {
			in = policytest.RandomText(rng)
		}
		for _, r := range []*redact.Rules{maskAll, tagAll, everything} {
			want, n := apply(t, r, in)
			for _, sizes := range [][]int{{1}, {1 + rng.IntN(30), 1 + rng.IntN(200)}} {
				if got, m := apply(t, r, in, sizes...); got != want || m != n {
					t.Fatalf("round %d, chunks of %v:\n in   %q\n got  %q\n want %q", round, sizes, in, got, want)
				}
			}
		}
	}
}
