package api_test

import (
	"testing"
	"time"

	"github.com/weirmesh/weir/xds-server/api"
)

func TestWeight(t *testing.T) {
	for text, want := range map[string]uint32{"0": 0, "100": 10_000, "12.5": 1_250, "0.01": 1, "99.99": 9_999, "33.30": 3_330, "10.000": 1_000} {
		var w api.Weight
		if err := w.ParseNumber(text); err != nil || w.Hundredths() != want {
			t.Errorf("%s is %d, %v; want %d", text, w.Hundredths(), err, want)
		}
	}
	for _, text := range []string{"-0.01", "100.01", "0.001", "99999999999999999999"} {
		var w api.Weight
		if err := w.ParseNumber(text); err == nil {
			t.Errorf("%s is a weight of %d", text, w.Hundredths())
		}
	}
}

func TestFormatThousandths(t *testing.T) {
	for value, want := range map[int64]string{0: "0", 500: "0.5", 1_250: "1.25", 4_000: "4", 1_020: "1.02", 1_001_003: "1001.003"} {
		if got := api.FormatThousandths(value); got != want {
			t.Errorf("%d thousandths are %q, want %q", value, got, want)
		}
	}
}

func TestFormatHundredths(t *testing.T) {
	for value, want := range map[int64]string{0: "0", 1: "0.01", 10: "0.1", 1_250: "12.5", 9_000: "90", 10_000: "100"} {
		if got := api.FormatHundredths(value); got != want {
			t.Errorf("%d is %s, want %s", value, got, want)
		}
	}
}

// TestDecimal: thousandths are exact where binary floating point is not.
func TestDecimal(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "0.3": 300, "1.001": 1_001, "0.29": 290, "1000000000": 1_000_000_000_000, "4.350": 4_350} {
		var d api.Decimal
		if err := d.ParseNumber(text); err != nil || d.Milli() != want {
			t.Errorf("%s is %d, %v; want %d", text, d.Milli(), err, want)
		}
	}
	for _, text := range []string{"0.0001", "-1", "1000000001", "9223372036854775808"} {
		var d api.Decimal
		if err := d.ParseNumber(text); err == nil {
			t.Errorf("%s is %d", text, d.Milli())
		}
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "65536": 65_536, "64KiB": 65_536, "1MiB": 1 << 20, "1GiB": 1 << 30, "2147483647": 1<<31 - 1} {
		var b api.Bytes
		if err := b.ParseString(text); err != nil || b.Count() != want {
			t.Errorf("%s is %d, %v; want %d", text, b.Count(), err, want)
		}
	}
	for _, text := range []string{"", "1MB", "1 MiB", "-1", "1.5MiB", "2GiB", "2147483648", "999999999999999GiB", "9999999999999999"} {
		var b api.Bytes
		if err := b.ParseString(text); err == nil {
			t.Errorf("%q is %d", text, b.Count())
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"0s": 0, "250ms": 250 * time.Millisecond, "1m30s": 90 * time.Second, "24h": 24 * time.Hour} {
		var d api.Duration
		if err := d.ParseString(text); err != nil || d.Span() != want {
			t.Errorf("%s is %v, %v", text, d.Span(), err)
		}
	}
	for _, text := range []string{"", "5", "-1s", "24h1ms", "1us", "1d"} {
		var d api.Duration
		if err := d.ParseString(text); err == nil {
			t.Errorf("%q is %v", text, d.Span())
		}
	}
}

// parser is a string that parses itself.
type parser interface{ ParseString(string) error }

func TestIdentifiers(t *testing.T) {
	long := func(n int) string { return stringOf('a', n) }
	tests := []struct {
		name      string
		value     func() parser
		good, bad []string
	}{
		{"name", func() parser { return new(api.Name) },
			[]string{"a", "gpt-4", "llama3-70b", "a.b", long(63)}, []string{"", "A", "a_b", "-a", "a-", "a/b", "a@b", "a b", "ä", long(64)}},
		{"version", func() parser { return new(api.VersionName) },
			[]string{"1", "v1", "V1_2.3-rc", long(63)}, []string{"", ".a", "-1", "a/b", "a@b", "a b", long(64)}},
		{"alias", func() parser { return new(api.Alias) },
			[]string{"all-MiniLM-L6-v2", "meta-llama/Llama-3:8b", "a+b_c.d", long(128)}, []string{"", "/a", "a b", "a\"b", "a@b", "ä", long(129)}},
		{"SPIFFE ID", func() parser { return new(api.SPIFFEID) },
			[]string{"spiffe://td/a", "spiffe://weir.test/ns/x/sa/y"}, []string{"", "td/a", "spiffe://td", "spiffe://td/", "spiffe://TD/a", "https://td/a", "spiffe://td/a//b"}},
		{"trust domain", func() parser { return new(api.TrustDomainName) },
			[]string{"weir.test", "td"}, []string{"", "spiffe://td", "TD", "td/a"}},
		{"selector", func() parser { return new(api.Selector) },
			[]string{"unix:uid:0", "unix:gid:1000", "unix:path:/bin/x", "unix:sha256:" + stringOf('0', 64)},
			[]string{"", "unix:uid:", "unix:uid:-1", "unix:uid:01", "unix:path:x", "unix:sha256:0", "unix:user:root", "k8s:ns:x"}},
		{"address", func() parser { return new(api.IP) }, []string{"127.0.0.1", "::", "::1"}, []string{"", "localhost", "127.0.0.1:80", "fe80::1%eth0"}},
		{"file", func() parser { return new(api.FileName) }, []string{"a", "tls.crt", "www.example.com.key", "_a-b.pem", long(128)}, []string{"", ".", "..", ".a", "a/b", "../a", "a b", "a\x00", "-a", long(129)}},
		{"absence", func() parser { return new(api.WhenAbsent) }, []string{"wait", "proceed"}, []string{"", "go"}},
		{"endpoint", func() parser { return new(api.Endpoint) },
			[]string{"127.0.0.1:80", "[::1]:80", "a:1", "a.b.svc.cluster.local:65535", "a.b.:80", "1a.test:80"},
			[]string{"", "a", "a:", ":80", "a:0", "a:65536", "a:http", "::1:80", "127.0.0.256:80", "1.2.3:80", "a b:80", "-a:80", "a..b:80"}},
		{"header name", func() parser { return new(api.HeaderName) },
			[]string{"x-tenant-id", "X-Tenant", "authorization"}, []string{"", "a b", ":path", "x-weir-model", "X-Weir-X", "Content-Length", "x-model", "Host", "ä"}},
		{"header value", func() parser { return new(api.HeaderValue) }, []string{"a", "a b", "*", long(256)}, []string{"", " a", "a ", "a\nb", "ä", long(257)}},
		{"path", func() parser { return new(api.HTTPPath) }, []string{"/", "/a/b?c=d", "/%20"}, []string{"", "a", "/a b", "/ä", "/a#b"}},
		{"version of the API", func() parser { return new(api.APIVersion) }, []string{"weir.dev/v1alpha1"}, []string{"", "v1", "weir.dev/v1"}},
		{"overflow", func() parser { return new(api.Overflow) }, []string{"refuse", "stream"}, []string{"", "Refuse"}},
		{"failure", func() parser { return new(api.Failure) }, []string{"open", "closed"}, []string{"", "close"}},
		{"key", func() parser { return new(api.KeyPart) },
			[]string{"model", "tenant", "user", "peer", "apiKey", "clientIP", "header:X-Team", "claim:sub", `claim:org.https://a\.example/team`},
			[]string{"", "header", "header:", "header:x-weir-model", "header:host", "claim", "claim:a..b", "claim:a\\", "claim:.a", "model:x"}},
		{"entity", func() parser { return new(api.EntityKind) }, []string{"phone", "email", "residentID", "bankCard"}, []string{"", "Phone"}},
		{"mode", func() parser { return new(api.RedactionMode) }, []string{"mask", "tag"}, []string{"", "hash"}},
		{"source", func() parser { return new(api.IdentitySource) }, []string{"development", "spire"}, []string{"", "SPIRE"}},
		{"retry", func() parser { return new(api.RetryCondition) }, []string{"connect-failure", "reset"}, []string{"", "always"}},
	}
	for _, test := range tests {
		for _, text := range test.good {
			if err := test.value().ParseString(text); err != nil {
				t.Errorf("%s %q: %v", test.name, text, err)
			}
		}
		for _, text := range test.bad {
			if err := test.value().ParseString(text); err == nil {
				t.Errorf("%s %q is accepted", test.name, text)
			}
		}
	}
}

func stringOf(c byte, n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = c
	}
	return string(text)
}

func TestEndpoint(t *testing.T) {
	for text, ip := range map[string]bool{"127.0.0.1:80": true, "[::1]:80": true, "model.svc:80": false} {
		var e api.Endpoint
		if err := e.ParseString(text); err != nil || e.IsIP() != ip || e.String() != text || e.Port() != 80 {
			t.Errorf("%s is %+v, %v", text, e, err)
		}
	}
	var h api.HeaderName
	if err := h.ParseString("X-Tenant"); err != nil || h.String() != "x-tenant" {
		t.Errorf("header is %q, %v", h, err)
	}
}
