// Package issue decides which identities a process gets, and makes and renews
// their SVIDs. A process is known by its selectors alone.
package issue

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Entry gives ID to every process that has all Selectors.
type Entry struct {
	ID        spiffeid.ID
	Selectors []string // as SPIRE names them: unix:uid:1000; at least one
}

// Authority signs SVIDs and says what to trust.
type Authority interface {
	TrustDomain() spiffeid.TrustDomain
	Bundle() (bundle *x509bundle.Bundle, until time.Time, err error)
	Sign(id spiffeid.ID, public crypto.PublicKey) (*x509.Certificate, error)
}

// SVID is an X509-SVID with its key. It must not be changed.
type SVID struct {
	ID    spiffeid.ID
	Chain []*x509.Certificate // leaf first
	Key   crypto.Signer
	renew time.Time // when half of its life has passed
}

// Update is all that a process gets.
type Update struct {
	SVIDs   []SVID // in the order of the entries, one per ID; none: no identity
	Bundle  *x509bundle.Bundle
	Version string          // differs exactly when SVIDs or Bundle do
	Until   time.Time       // when to ask again
	Changed <-chan struct{} // closed when to ask again before Until
}

// Issuer keeps one current SVID for each ID in use. It is safe for concurrent
// use.
type Issuer struct {
	authority Authority
	now       func() time.Time
	issued    func() // called for every SVID made

	mu      sync.Mutex
	entries []Entry
	svids   map[spiffeid.ID]SVID
	changed chan struct{}
}

// New returns an issuer without entries: nobody gets an identity. issued is
// called whenever an SVID was made.
func New(authority Authority, now func() time.Time, issued func()) *Issuer {
	return &Issuer{authority: authority, now: now, issued: issued, svids: make(map[spiffeid.ID]SVID), changed: make(chan struct{})}
}

// SetEntries replaces the entries. Processes whose identities change by it are
// told so at once. An entry without selectors, which every process would match,
// or with an ID outside the trust domain is an error, and then nothing changes.
func (i *Issuer) SetEntries(entries []Entry) error {
	for _, e := range entries {
		if len(e.Selectors) == 0 {
			return fmt.Errorf("entry %s has no selectors: every process would get it", e.ID)
		}
		if !e.ID.MemberOf(i.authority.TrustDomain()) || e.ID.Path() == "" {
			return fmt.Errorf("entry %s: not the ID of a workload in the trust domain %s", e.ID, i.authority.TrustDomain())
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.entries = slices.Clone(entries)
	for id := range i.svids {
		if !slices.ContainsFunc(entries, func(e Entry) bool { return e.ID == id }) {
			delete(i.svids, id)
		}
	}
	close(i.changed)
	i.changed = make(chan struct{})
	return nil
}

// WantsDigest reports whether an entry asks for unix:sha256, which is dear to
// work out.
func (i *Issuer) WantsDigest() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.ContainsFunc(i.entries, func(e Entry) bool {
		return slices.ContainsFunc(e.Selectors, func(s string) bool { return strings.HasPrefix(s, "unix:sha256:") })
	})
}

// Current returns what a process with the selectors gets now, with SVIDs that
// have more than half of their life before them.
func (i *Issuer) Current(selectors []string) (Update, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	bundle, until, err := i.authority.Bundle()
	if err != nil {
		return Update{}, fmt.Errorf("read the bundle: %w", err)
	}
	u := Update{Bundle: bundle, Until: until, Changed: i.changed}
	for _, id := range i.match(selectors) {
		svid, err := i.svid(id)
		if err != nil {
			return Update{}, err
		}
		if svid.renew.Before(u.Until) {
			u.Until = svid.renew
		}
		u.SVIDs = append(u.SVIDs, svid)
	}
	u.Version = version(u)
	return u, nil
}

func (i *Issuer) match(selectors []string) []spiffeid.ID {
	var ids []spiffeid.ID
	for _, e := range i.entries {
		if slices.Contains(ids, e.ID) {
			continue
		}
		if !slices.ContainsFunc(e.Selectors, func(s string) bool { return !slices.Contains(selectors, s) }) {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// svid returns the current SVID of id, made anew from half of its life on.
func (i *Issuer) svid(id spiffeid.ID) (SVID, error) {
	now := i.now()
	if have, ok := i.svids[id]; ok && now.Before(have.renew) {
		return have, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return SVID{}, fmt.Errorf("make a key for %s: %w", id, err)
	}
	leaf, err := i.authority.Sign(id, key.Public())
	if err != nil {
		return SVID{}, fmt.Errorf("make an SVID for %s: %w", id, err)
	}
	made := SVID{ID: id, Chain: []*x509.Certificate{leaf}, Key: key, renew: now.Add(leaf.NotAfter.Sub(now) / 2)}
	i.svids[id] = made
	i.issued()
	return made, nil
}

func version(u Update) string {
	sum := sha256.New()
	for _, s := range u.SVIDs {
		sum.Write(s.Chain[0].Raw)
	}
	for _, root := range u.Bundle.X509Authorities() {
		sum.Write(root.Raw)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
