package redact

import "testing"

// innocent are texts that hold nothing personal and no secret.
var innocent = []string{
	// identifiers
	"550e8400-e29b-41d4-a716-446655440000", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "00000000-0000-0000-0000-000000000000", "12345678-1234-4123-8123-123456789012",
	"2ab982f", "29804df7c1e0a9b8d7c6f5e4d3c2b1a098765432", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "d41d8cd98f00b204e9800998ecf8427e",
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "507f1f77bcf86cd799439011", "01ARZ3NDEKTSV4RRFFQ69G5FAV",
	// orders, tickets, articles
	"ORD-20241105-000123", "PO-2024-00017", "SO2024110500012", "INV-00012345", "JIRA-12345", "RFC 9110", "CVE-2024-12345", "ISBN 978-3-16-148410-0", "SKU 12-3456-78", "SF1234567890123", "20241105-000123", "20241105000123456",
	// times and amounts
	"2024-11-05", "2024-11-05T12:34:56Z", "2024-11-05T12:34:56.789+08:00", "2024-11-05 12:30:45", "20241105123045", "1730793600", "1730793600123", "1730793600123456", "12:30:45.123", "Tue, 05 Nov 2024 12:30:45 GMT",
	"1,299.90", "0.123456789012345", "3.141592653589793", "$12,345,678.00", "1234567890.12", "+8.5%", "-273.15", "+20241105", "1e-10", "100 200 300 400 500", "10 000 000",
	// versions and products
	"1.2.3", "v1.2.3.4", "1.2.3.4-rc1", "go1.26.8", "Chrome/49.0.2.1", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36", "1.3.6.1.4.1.311.21.20", "react@18.2.0-rc.1", "git@github.com:org/repo.git", "4.18.0-305.el8", "libfoo.so.1.2.3.4.5", "k8s.io/api@v0.31.2",
	// code
	"std::vector<int>::iterator", "abc::def::Face", "a::b", "for (i = 0; i < 10; i++)", "#ff00ff", "0xDEADBEEF", "0x1F600", "cafe:babe", "dead:beef", "f(1, 2, 3)", "x[10:20:2]", "a-b-c-d-e-f", "case 0x00:", "aa:bb:cc",
	"sk-fading-circle", "task-list-item-checkbox-enabled-1", "xoxo", "Bearer tokens are opaque", "basic authentication", "a bearer instrument of 2024", "https://example.com:8080/path?x=a@b", "git@github.com:org/repo.git", "http://localhost:3000/user:me",
	"-----BEGIN CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----", "eyJ is how they begin", "AKIA is a prefix", "ghp_ too",
	// base64
	"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "U2FsdGVkX18yMDI0MTEwNTEyMzQ1Njc4OTA=", "data:image/png;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
	// prose
	"新款手机A12上市", "云服务器HELLO世界", "第12345678号公告", "京东A座1234室", "共10个, 20个, 30个", "邮编100000", "Section 1.2.3.4 of the manual", "IS 12 this is some words of a text", "room 404-12-3456b", "ALL PAYMENTS DUE 2024",
}

// What is innocent stays below the threshold in every detector.
func TestNearMisses(t *testing.T) {
	for name, d := range detections {
		for _, text := range innocent {
			if value, score := locate(d.find, text); score >= 50 {
				t.Errorf("%s: %q in %q with %d", name, value, text, score)
			}
		}
	}
}

// What a detector says lies in the window, begins where it may, and depends on
// nothing but the units around: wherever a window is cut, the answer is the same.
func FuzzDetectors(f *testing.F) {
	for _, d := range detections {
		for _, c := range d.cases {
			f.Add([]byte(c.text), uint8(0))
		}
	}
	for _, text := range innocent {
		f.Add([]byte(text), uint8(3))
	}
	f.Fuzz(func(t *testing.T, codes []byte, floor uint8) {
		const ahead = 166
		w := &window{}
		for _, c := range codes[:min(len(codes), maxUnits)] {
			w.add(c&0x7F, w.n, w.n+1)
		}
		w.floor = min(int(floor), w.n)
		for name, d := range detections {
			for i := w.floor; i < w.n; i++ {
				m, score, ok := d.find(w, i)
				if !ok {
					continue
				}
				if m.start < w.floor || m.start >= m.end || m.end > w.n || score > 100 || i-m.start > 2 {
					t.Fatalf("%s at %d of %q (floor %d): %v with %d", name, i, codes, w.floor, m, score)
				}
				if m.end-i > ahead {
					t.Fatalf("%s at %d of %q: looks too far: %v", name, i, codes, m)
				}
				cut := *w
				cut.n = min(w.n, i+ahead)
				if again, s, found := d.find(&cut, i); !found || again != m || s != score {
					t.Fatalf("%s at %d of %q: %v with %d, and %v with %d when cut", name, i, codes, m, score, again, s)
				}
			}
		}
	})
}

func TestDetectorsAllocateNothing(t *testing.T) {
	for name, d := range detections {
		w := fill(d.cases[0].text)
		if n := testing.AllocsPerRun(10, func() {
			for i := range w.n {
				d.find(w, i)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
