package redact_test

import (
	"regexp"
	"testing"

	"github.com/weirmesh/weir/filter/policy/policytest"
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
		r.Reset(everything, &session, out)
		r.StringStart()
		for i := 0; i < len(in); i += size {
			_ = r.Bytes(in[i:min(i+size, len(in))])
		}
		_ = r.StringEnd()
	}
}

// corpora are texts such as people write, 1 KB of each.
func corpora() (texts []policytest.Text) {
	for _, t := range policytest.Texts() {
		if !t.Hostile {
			texts = append(texts, t)
		}
	}
	return texts
}

func BenchmarkRedact(b *testing.B) {
	for _, t := range corpora() {
		text := t.Bytes(1024)
		text = text[:min(1024, len(text))]
		b.Run(t.Name, func(b *testing.B) { benchmarkRedact(b, text, len(text)) })
	}
	chat := corpora()[0]
	b.Run("chat of 64 KB", func(b *testing.B) { benchmarkRedact(b, chat.Bytes(64<<10), 64<<10) })
	b.Run("chat of 1 MB", func(b *testing.B) { benchmarkRedact(b, chat.Bytes(1<<20), 1<<20) })
	b.Run("chat in chunks of 64", func(b *testing.B) { benchmarkRedact(b, chat.Bytes(1024), 64) })
	b.Run("chat in chunks of 1", func(b *testing.B) { benchmarkRedact(b, chat.Bytes(1024), 1) })
}

// BenchmarkWorst is of texts whose every byte asks something of the redactor.
func BenchmarkWorst(b *testing.B) {
	for _, t := range policytest.Texts() {
		if t.Hostile {
			text := t.Bytes(64 << 10)
			b.Run(t.Name, func(b *testing.B) { benchmarkRedact(b, text, len(text)) })
		}
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
	{regexp.MustCompile(`[1578]\d{6}\(?\d\)?`), []byte("<MACAU_ID>")},
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
	for _, c := range corpora() {
		in := c.Bytes(1024)
		in = in[:min(1024, len(in))]
		b.Run(c.Name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				text := in
				for _, e := range expressions {
					text = e.find.ReplaceAll(text, e.replace)
				}
			}
		})
	}
}
