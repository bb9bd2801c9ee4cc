package devca

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Default lifetimes.
const (
	DefaultRootTTL = 24 * time.Hour
	DefaultSVIDTTL = time.Hour
)

// Config is what an Authority needs.
type Config struct {
	TrustDomain spiffeid.TrustDomain
	Dir         string           // folder of the root's file; made with mode 0700
	RootTTL     time.Duration    // 0: DefaultRootTTL
	SVIDTTL     time.Duration    // 0: DefaultSVIDTTL; at most a sixth of RootTTL
	Force       bool             // allow trust domains of the real world
	Now         func() time.Time // required
}

// Authority signs X509-SVIDs. It is safe for concurrent use.
//
// A root serves for its lifetime. Its successor is published in the bundle at
// half of it, so that every peer has it before it signs, and signs from five
// sixths on (as SPIRE does), so that SVIDs never outlive their root.
type Authority struct {
	config Config
	path   string

	mu    sync.Mutex
	roots []root // oldest first, none expired
}

// Open reads the authority's root from its folder or makes a new one.
func Open(config Config) (*Authority, error) {
	if config.RootTTL == 0 {
		config.RootTTL = DefaultRootTTL
	}
	if config.SVIDTTL == 0 {
		config.SVIDTTL = DefaultSVIDTTL
	}
	if config.SVIDTTL > config.RootTTL/6 {
		return nil, fmt.Errorf("SVIDs of %s outlive a root of %s: they may have a sixth of its life", config.SVIDTTL, config.RootTTL)
	}
	if !config.Force && !forDevelopment(config.TrustDomain) {
		return nil, fmt.Errorf("the development CA does not serve the trust domain %q: take a name that ends in .test, .example or .local, or use SPIRE (set SPIFFE_ENDPOINT_SOCKET), or force it with --force-development-ca", config.TrustDomain)
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	a := &Authority{config: config, path: filepath.Join(config.Dir, fileName)}
	var err error
	if a.roots, err = load(a.path, config.TrustDomain); err != nil {
		return nil, err
	}
	return a, a.refresh(config.Now())
}

// forDevelopment reports whether the trust domain cannot be one of the real
// world: RFC 6761 (test, example), RFC 6762 (local).
func forDevelopment(td spiffeid.TrustDomain) bool {
	for _, suffix := range []string{"test", "example", "local"} {
		if td.Name() == suffix || strings.HasSuffix(td.Name(), "."+suffix) {
			return true
		}
	}
	return false
}

// TrustDomain is the trust domain of the authority.
func (a *Authority) TrustDomain() spiffeid.TrustDomain { return a.config.TrustDomain }

// Bundle returns the roots that peers are to trust, and when that or the
// signing root may change.
func (a *Authority) Bundle() (bundle *x509bundle.Bundle, until time.Time, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.config.Now()
	if err := a.refresh(now); err != nil {
		return nil, time.Time{}, err
	}
	bundle = x509bundle.New(a.config.TrustDomain)
	for _, r := range a.roots {
		bundle.AddX509Authority(r.cert)
	}
	return bundle, a.nextEvent(now), nil
}

// Sign returns an X509-SVID for id and the key of a workload. The ID must be in
// the trust domain and have a path.
func (a *Authority) Sign(id spiffeid.ID, public crypto.PublicKey) (*x509.Certificate, error) {
	if !id.MemberOf(a.config.TrustDomain) {
		return nil, fmt.Errorf("sign %s: not in the trust domain %s", id, a.config.TrustDomain)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.config.Now()
	if err := a.refresh(now); err != nil {
		return nil, err
	}
	return a.signing(now).svid(id, public, now, a.config.SVIDTTL)
}

// refresh drops roots that ended and makes the successor when it is time.
func (a *Authority) refresh(now time.Time) error {
	var live []root
	for _, r := range a.roots {
		if now.Before(r.cert.NotAfter) {
			live = append(live, r)
		}
	}
	if len(live) == len(a.roots) && len(live) > 0 && now.Before(live[len(live)-1].at(1, 2)) {
		return nil
	}
	if len(live) == 0 || !now.Before(live[len(live)-1].at(1, 2)) {
		next, err := newRoot(a.config.TrustDomain, now, a.config.RootTTL)
		if err != nil {
			return err
		}
		live = append(live, next)
	}
	if err := save(a.path, live); err != nil {
		return errors.Join(err, errors.New("the authority cannot go on without its folder"))
	}
	a.roots = live
	return nil
}

// signing is the newest root whose predecessor has passed five sixths of its life.
func (a *Authority) signing(now time.Time) root {
	for i := len(a.roots) - 1; i > 0; i-- {
		if !now.Before(a.roots[i-1].at(5, 6)) {
			return a.roots[i]
		}
	}
	return a.roots[0]
}

func (a *Authority) nextEvent(now time.Time) time.Time {
	next := a.roots[0].cert.NotAfter
	for _, r := range a.roots {
		for _, event := range []time.Time{r.at(1, 2), r.at(5, 6)} {
			if event.After(now) && event.Before(next) {
				next = event
			}
		}
	}
	return next
}
