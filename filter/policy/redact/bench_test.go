package redact_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/redact"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// discard counts what it is given.
type discard struct{ n int }

func (d *discard) Write(p []byte) error { d.n += len(p); return nil }

// everything looks for all kinds.
var everything = func() *redact.Rules {
	r := &spec.Redaction{}
	for k := range spec.EntityKinds {
		r.Entities = append(r.Entities, spec.Entity{Kind: spec.EntityKind(k), Mode: spec.RedactTag})
	}
	return redact.Compile(r, spec.DirectionRequest)
}()

func benchmarkRedact(b *testing.B, in []byte, size int) {
	var r redact.Redactor
	var session redact.Session
	out := &discard{}
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(maskAll, &session, out)
		r.StringStart()
		for i := 0; i < len(in); i += size {
			_ = r.Bytes(in[i:min(i+size, len(in))])
		}
		_ = r.StringEnd()
	}
}

func repeat(s string) []byte { return []byte(strings.Repeat(s, 1024/len(s)+1)[:1024/len(s)*len(s)]) }

var corpora = []struct {
	name string
	text []byte
}{
	{"chat", chat()},
	{"prose", prose()},
	{"plain", repeat("some words without anything to be found in them, ")},
	{"chinese", repeat("请帮我写一封邮件，通知客户我们的系统将于本周六凌晨两点进行升级。")},
	{"chinese-escaped", repeat(`\u8bf7\u5e2e\u6211\u5199\u4e00\u5c01\uff0c`)},
	{"code", repeat(`\tfor i := 0; i < 10; i++ {\n\t\tfmt.Println(\"value\", items[i])\n\t}\n`)},
	{"base64", repeat("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg")},
	{"url-encoded", repeat("q=%E4%BD%A0%E5%A5%BD%20hello%2Cworld&n=1&")},
	{"only-values", repeat("13812345678 zhang@example.com 11010519491231002X 4111 1111 1111 1111, ")},
}

func BenchmarkRedact(b *testing.B) {
	for _, c := range corpora {
		b.Run(c.name, func(b *testing.B) { benchmarkRedact(b, c.text, len(c.text)) })
	}
	b.Run("chat-chunks-of-64", func(b *testing.B) { benchmarkRedact(b, corpora[0].text, 64) })
	b.Run("chat-chunks-of-1", func(b *testing.B) { benchmarkRedact(b, corpora[0].text, 1) })
}

// prose is text without a value in it, with the punctuation, names and figures of a
// manual.
func prose() []byte {
	return repeat(`The Gateway reads a request once, from its first byte to its last, and never keeps more of it than it has to. ` +
		`Bob's team began with 12 models in May; today about 40% of all calls (some 3.5 million a day) go through it. ` +
		`"Why not a sidecar?" - because a second hop costs more than the filter does: see chapter 7, or ask Kim. `)
}

// adversary is text whose every byte asks something of the search.
var adversary = []struct{ name, unit string }{
	{"digits", "7"}, {"groups", "7 "}, {"pairs", "71-"}, {"ats", "@"}, {"at-words", "a@"}, {"dashes", "-"}, {"jwts", "eyJ"}, {"colons", ":"}, {"hex", "ab:"},
	{"dots", "1."}, {"keys", "sk-"}, {"begins", "-----BEGIN "}, {"upper", "A1"}, {"backslashes", `\\`}, {"escapes", `\u0037`}, {"percent", "%37"}, {"wide", "７"}, {"hidden", "7\u200b"},
	{"phones", "1381234567 "}, {"eights", "12345678 "}, {"plates", "京A"}, {"bearers", "bearer "}, {"schemes", "://a"}, {"mixed", "a1B2-"}, {"parens", "(7)"},
}

func BenchmarkWorst(b *testing.B) {
	for _, c := range adversary {
		text := []byte(strings.Repeat(c.unit, 65536/len(c.unit)))
		b.Run(c.name, func(b *testing.B) { benchmarkRedact(b, text, len(text)) })
	}
}

// The same entities in regular expressions: no check digits, no boundaries, no
// escapes, no streaming.
var expressions = []struct {
	find    *regexp.Regexp
	replace []byte
}{
	{regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}`), []byte("<EMAIL>")},
	{regexp.MustCompile(`[1-9]\d{5}(18|19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d{3}[\dXx]`), []byte("<RESIDENT_ID>")},
	{regexp.MustCompile(`\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,7}`), []byte("<BANK_CARD>")},
	{regexp.MustCompile(`(\+?86[- ]?|0086[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}`), []byte("<PHONE>")},
	{regexp.MustCompile(`\(?0\d{2,3}\)?[- ]?\d{7,8}(-\d{1,6})?`), []byte("<LANDLINE>")},
	{regexp.MustCompile(`\(?[2-9]\d{2}\)?[-. ]?[2-9]\d{2}[-. ]?\d{4}`), []byte("<PHONE_US>")},
	{regexp.MustCompile(`\+[1-9]\d{0,2}[-. ]?(\d[-. ]?){6,13}\d`), []byte("<PHONE_INTL>")},
	{regexp.MustCompile(`[EGHKMPSD][A-Z]?\.?\d{7,8}|1[45]\d{7}`), []byte("<PASSPORT>")},
	{regexp.MustCompile(`[HMCWLT][A-Z]?\d{7,10}`), []byte("<PERMIT>")},
	{regexp.MustCompile(`[京沪津渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领][A-HJ-NP-Z][·• -]?[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳]`), []byte("<PLATE>")},
	{regexp.MustCompile(`[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}`), []byte("<USCC>")},
	{regexp.MustCompile(`[A-Z]{1,2}\d{6}\(?[\dA]\)?`), []byte("<HK_ID>")},
	{regexp.MustCompile(`[A-Z][1289A-D]\d{8}`), []byte("<TW_ID>")},
	{regexp.MustCompile(`\d{3}[- ]?\d{2}[- ]?\d{4}`), []byte("<SSN>")},
	{regexp.MustCompile(`[A-Z]{2}\d{2}( ?[A-Z0-9]{4}){2,7}( ?[A-Z0-9]{1,3})?`), []byte("<IBAN>")},
	{regexp.MustCompile(`(\d{1,3}\.){3}\d{1,3}|([0-9a-fA-F]{1,4}:){2,7}:?[0-9a-fA-F]{1,4}`), []byte("<IP>")},
	{regexp.MustCompile(`([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}`), []byte("<MAC>")},
	{regexp.MustCompile(`\d{2}-?\d{6}-?\d{6}-?\d`), []byte("<IMEI>")},
	{regexp.MustCompile(`[A-HJ-NPR-Z0-9]{13}\d{4}`), []byte("<VIN>")},
	{regexp.MustCompile(`A[KS]IA[A-Z2-7]{16}`), []byte("<AWS_KEY>")},
	{regexp.MustCompile(`gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{82}`), []byte("<GITHUB_TOKEN>")},
	{regexp.MustCompile(`xox[a-z]-[A-Za-z0-9-]{16,}`), []byte("<SLACK_TOKEN>")},
	{regexp.MustCompile(`sk-[A-Za-z0-9_-]{20,}`), []byte("<OPENAI_KEY>")},
	{regexp.MustCompile(`AIza[A-Za-z0-9_-]{35}`), []byte("<GOOGLE_KEY>")},
	{regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`), []byte("<JWT>")},
	{regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\s\\]*-----END [A-Z ]*PRIVATE KEY-----`), []byte("<PRIVATE_KEY>")},
	{regexp.MustCompile(`(?i:bearer|basic) [A-Za-z0-9._~+/=-]{16,}`), []byte("<BEARER>")},
	{regexp.MustCompile(`://[^\s/:@]+:[^\s/@]+@`), []byte("<URL_PASSWORD>")},
}

func TestExpressionsAreOfAllKinds(t *testing.T) {
	if len(expressions) != spec.EntityKinds {
		t.Errorf("%d expressions for %d kinds", len(expressions), spec.EntityKinds)
	}
}

func BenchmarkRegexp(b *testing.B) {
	for _, c := range corpora {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				text := c.text
				for _, e := range expressions {
					text = e.find.ReplaceAll(text, e.replace)
				}
			}
		})
	}
}
