package devca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

var (
	td = spiffeid.RequireTrustDomainFromString("weir.test")
	id = spiffeid.RequireFromString("spiffe://weir.test/envoy")
)

// clock is a hand that the test moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newClock() *clock { return &clock{time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)} }

func open(t *testing.T, dir string, c *clock) *Authority {
	t.Helper()
	a, err := Open(Config{TrustDomain: td, Dir: dir, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func roots(t *testing.T, a *Authority) (certs []*x509.Certificate, until time.Time) {
	t.Helper()
	bundle, until, err := a.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	return bundle.X509Authorities(), until
}

func leaf(t *testing.T, a *Authority) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := a.Sign(id, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestRootSurvivesARestart(t *testing.T) {
	dir, c := filepath.Join(t.TempDir(), "state"), newClock()
	before, _ := roots(t, open(t, dir, c))
	c.now = c.now.Add(time.Hour)
	after, _ := roots(t, open(t, dir, c))
	if len(before) != 1 || len(after) != 1 || !before[0].Equal(after[0]) {
		t.Fatal("the restarted authority has another root")
	}
	if info, err := os.Stat(filepath.Join(dir, fileName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("file of the root: %v, %v; want mode 0600", info.Mode(), err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Fatalf("the state folder holds %v, %v; want one file", left, err)
	}
}

// TestRootIsReplaced walks through two lives of a root: a successor is trusted
// before it signs, and every SVID verifies against the bundle of its whole life.
func TestRootIsReplaced(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	a := open(t, dir, c)
	began := c.now
	type issued struct {
		cert *x509.Certificate
		end  time.Time
	}
	var live []issued
	signers := map[string]time.Duration{}
	for c.now.Before(began.Add(48 * time.Hour)) {
		certs, until := roots(t, a)
		if !until.After(c.now) {
			t.Fatalf("after %s: the next event is not ahead", c.now.Sub(began))
		}
		fresh := leaf(t, a)
		live = append(live, issued{fresh, fresh.NotAfter})
		if _, seen := signers[string(fresh.AuthorityKeyId)]; !seen {
			signers[string(fresh.AuthorityKeyId)] = c.now.Sub(began)
		}
		pool := x509.NewCertPool()
		for _, cert := range certs {
			pool.AddCert(cert)
		}
		for _, l := range live {
			if c.now.After(l.end) {
				continue
			}
			if _, err := l.cert.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: c.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
				t.Fatalf("after %s: %v", c.now.Sub(began), err)
			}
		}
		if len(certs) > 2 {
			t.Fatalf("after %s: %d roots", c.now.Sub(began), len(certs))
		}
		c.now = c.now.Add(10 * time.Minute)
	}
	if len(signers) < 3 {
		t.Fatalf("%d roots signed in two days, want at least 3", len(signers))
	}
}

func TestSuccessorIsTrustedBeforeItSigns(t *testing.T) {
	c := newClock()
	a := open(t, t.TempDir(), c)
	first, _ := roots(t, a)
	at := func(share time.Duration) []*x509.Certificate {
		c.now = first[0].NotBefore.Add(backdate + share)
		certs, _ := roots(t, a)
		return certs
	}
	if certs := at(12*time.Hour - time.Second); len(certs) != 1 {
		t.Fatalf("before half of its life: %d roots, want 1", len(certs))
	}
	if certs := at(12 * time.Hour); len(certs) != 2 {
		t.Fatalf("at half of its life: %d roots, want 2", len(certs))
	}
	c.now = c.now.Add(7 * time.Hour)
	if got := leaf(t, a); string(got.AuthorityKeyId) != string(first[0].SubjectKeyId) {
		t.Fatal("the successor signs before five sixths of the first root's life")
	}
	c.now = c.now.Add(time.Hour)
	if got := leaf(t, a); string(got.AuthorityKeyId) == string(first[0].SubjectKeyId) {
		t.Fatal("the first root still signs at five sixths of its life")
	}
	for _, cert := range at(24 * time.Hour) {
		if cert.Equal(first[0]) {
			t.Fatal("the first root is in the bundle after its end")
		}
	}
}

func TestRootCertificate(t *testing.T) {
	certs, _ := roots(t, open(t, t.TempDir(), newClock()))
	root := certs[0]
	if !root.IsCA || len(root.URIs) != 1 || root.URIs[0].String() != "spiffe://weir.test" || !root.MaxPathLenZero {
		t.Errorf("root: CA %t, URIs %v, path length zero %t", root.IsCA, root.URIs, root.MaxPathLenZero)
	}
	if root.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || len(root.ExtKeyUsage) != 0 {
		t.Errorf("root: key usage %b, extended %v", root.KeyUsage, root.ExtKeyUsage)
	}
}

func TestSignRefuses(t *testing.T) {
	a := open(t, t.TempDir(), newClock())
	for _, text := range []string{"spiffe://weir.test", "spiffe://other.test/envoy"} {
		if _, err := a.Sign(spiffeid.RequireFromString(text), nil); err == nil {
			t.Errorf("%s was signed", text)
		}
	}
}

func TestTrustDomains(t *testing.T) {
	for name, allowed := range map[string]bool{
		"weir.test": true, "test": true, "a.example": true, "machine.local": true,
		"example.org": false, "contest": false, "test.com": false,
	} {
		config := Config{TrustDomain: spiffeid.RequireTrustDomainFromString(name), Dir: t.TempDir(), Now: newClock().Now}
		if _, err := Open(config); (err == nil) != allowed {
			t.Errorf("%s: %v", name, err)
		}
		config.Force = true
		if _, err := Open(config); err != nil {
			t.Errorf("%s by force: %v", name, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	good := t.TempDir()
	open(t, good, newClock())
	content, err := os.ReadFile(filepath.Join(good, fileName))
	if err != nil {
		t.Fatal(err)
	}
	other := Config{TrustDomain: spiffeid.RequireTrustDomainFromString("other.test")}
	for name, c := range map[string]struct {
		content []byte
		mode    os.FileMode
		config  Config
		want    string
	}{
		"readable by others": {content, 0o640, Config{TrustDomain: td}, "can be read by others"},
		"not PEM":            {[]byte("x"), 0o600, Config{TrustDomain: td}, "remove the file"},
		"half a pair":        {content[:len(content)/2], 0o600, Config{TrustDomain: td}, "remove the file"},
		"another domain's":   {content, 0o600, other, "another trust domain"},
		"long SVIDs":         {content, 0o600, Config{TrustDomain: td, SVIDTTL: 5 * time.Hour}, "outlive"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileName), c.content, c.mode); err != nil {
			t.Fatal(err)
		}
		c.config.Dir, c.config.Now = dir, newClock().Now
		if _, err := Open(c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error = %v, want one with %q", name, err, c.want)
		}
	}
}
