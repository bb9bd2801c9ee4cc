package issue

import (
	"crypto"
	"crypto/x509"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

var (
	td    = spiffeid.RequireTrustDomainFromString("weir.test")
	first = spiffeid.RequireFromString("spiffe://weir.test/first")
	other = spiffeid.RequireFromString("spiffe://weir.test/other")
)

// signer numbers what it signs; each lives for an hour.
type signer struct {
	now    time.Time
	signed int
	broken error
}

func (s *signer) TrustDomain() spiffeid.TrustDomain { return td }

func (s *signer) Bundle() (*x509bundle.Bundle, time.Time, error) {
	return x509bundle.New(td), s.now.Add(24 * time.Hour), nil
}

func (s *signer) Sign(id spiffeid.ID, _ crypto.PublicKey) (*x509.Certificate, error) {
	s.signed++
	return &x509.Certificate{Raw: []byte(id.String() + strconv.Itoa(s.signed)), NotBefore: s.now, NotAfter: s.now.Add(time.Hour)}, s.broken
}

func fixture(t *testing.T, entries ...Entry) (*Issuer, *signer) {
	t.Helper()
	s := &signer{now: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)}
	i := New(s, func() time.Time { return s.now }, func() {})
	if err := i.SetEntries(entries); err != nil {
		t.Fatal(err)
	}
	return i, s
}

func current(t *testing.T, i *Issuer, selectors ...string) Update {
	t.Helper()
	u, err := i.Current(selectors)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestEverySelectorMustMatch(t *testing.T) {
	i, _ := fixture(t,
		Entry{first, []string{"unix:uid:1", "unix:path:/a"}},
		Entry{other, []string{"unix:uid:1"}},
		Entry{first, []string{"unix:uid:2"}})
	for _, c := range []struct {
		selectors []string
		want      []spiffeid.ID
	}{
		{nil, nil},
		{[]string{"unix:uid:1"}, []spiffeid.ID{other}},
		{[]string{"unix:uid:1", "unix:gid:9", "unix:path:/a"}, []spiffeid.ID{first, other}},
		{[]string{"unix:uid:1", "unix:path:/ab"}, []spiffeid.ID{other}},
		{[]string{"unix:uid:1", "unix:uid:2", "unix:path:/a"}, []spiffeid.ID{first, other}},
		{[]string{"unix:uid:12"}, nil},
	} {
		var got []spiffeid.ID
		for _, svid := range current(t, i, c.selectors...).SVIDs {
			got = append(got, svid.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, want %v", c.selectors, got, c.want)
		}
	}
}

func TestOneSVIDUntilHalfOfItsLife(t *testing.T) {
	i, s := fixture(t, Entry{first, []string{"unix:uid:1"}})
	u := current(t, i, "unix:uid:1")
	if want := s.now.Add(30 * time.Minute); !u.Until.Equal(want) {
		t.Fatalf("until %s, want half of the life: %s", u.Until, want)
	}
	s.now = s.now.Add(30*time.Minute - 1)
	if again := current(t, i, "unix:uid:1"); again.Version != u.Version || s.signed != 1 {
		t.Fatalf("another SVID before half of its life: %d signed", s.signed)
	}
	s.now = s.now.Add(1)
	if renewed := current(t, i, "unix:uid:1"); renewed.Version == u.Version || s.signed != 2 {
		t.Fatalf("no new SVID at half of its life: %d signed", s.signed)
	}
}

func TestEntriesAreChecked(t *testing.T) {
	i, _ := fixture(t, Entry{first, []string{"unix:uid:1"}})
	for name, e := range map[string]Entry{
		"no selectors":   {first, nil},
		"another domain": {spiffeid.RequireFromString("spiffe://else.test/x"), []string{"unix:uid:1"}},
		"no path":        {td.ID(), []string{"unix:uid:1"}},
	} {
		if err := i.SetEntries([]Entry{e}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if u := current(t, i, "unix:uid:1"); len(u.SVIDs) != 1 {
		t.Error("refused entries replaced the former ones")
	}
}

func TestChangeOfEntriesIsTold(t *testing.T) {
	i, _ := fixture(t, Entry{first, []string{"unix:uid:1"}})
	u := current(t, i, "unix:uid:1")
	if err := i.SetEntries(nil); err != nil {
		t.Fatal(err)
	}
	<-u.Changed
	if u = current(t, i, "unix:uid:1"); len(u.SVIDs) != 0 {
		t.Fatal("an identity outlived its entry")
	}
}

func TestBrokenAuthority(t *testing.T) {
	i, s := fixture(t, Entry{first, []string{"unix:uid:1"}})
	s.broken = errors.New("disk full")
	if _, err := i.Current([]string{"unix:uid:1"}); !errors.Is(err, s.broken) {
		t.Fatalf("error = %v", err)
	}
}

// program is a process that notes whether its digest was asked for.
type program struct{ digests int }

func (p *program) Selectors(digest bool) ([]string, error) {
	if !digest {
		return []string{"unix:uid:1"}, nil
	}
	p.digests++
	return []string{"unix:uid:1", "unix:sha256:00"}, nil
}

func TestDigestOnlyWhenAnEntryWantsIt(t *testing.T) {
	i, _ := fixture(t, Entry{first, []string{"unix:uid:1"}})
	p := &program{}
	session, err := i.Session(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.Current(); err != nil || p.digests != 0 {
		t.Fatalf("%v; asked for %d digests, want none", err, p.digests)
	}
	if err := i.SetEntries([]Entry{{other, []string{"unix:sha256:00"}}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if u, err := session.Current(); err != nil || len(u.SVIDs) != 1 || p.digests != 1 {
			t.Fatalf("%v, %v; asked for %d digests, want one", u, err, p.digests)
		}
	}
}
