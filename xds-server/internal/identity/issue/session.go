package issue

import (
	"context"
	"fmt"
	"time"
)

// Process is whoever asks for its identities.
type Process interface {
	// Selectors proves properties of the process; the digest of its program only
	// if asked for.
	Selectors(digest bool) ([]string, error)
}

// Session is one process's view of the issuer. It is not safe for concurrent use.
type Session struct {
	issuer    *Issuer
	process   Process
	selectors []string
	digested  bool
}

// Session attests the process once; what it proved holds for the session.
func (i *Issuer) Session(p Process) (*Session, error) {
	s := &Session{issuer: i, process: p, digested: i.WantsDigest()}
	var err error
	if s.selectors, err = p.Selectors(s.digested); err != nil {
		return nil, fmt.Errorf("prove who asks: %w", err)
	}
	return s, nil
}

// Selectors are what the process proved, for logs.
func (s *Session) Selectors() []string { return s.selectors }

// Current returns what the process gets now. If entries came that ask for its
// program's digest, the process is attested again.
func (s *Session) Current() (Update, error) {
	if !s.digested && s.issuer.WantsDigest() {
		selectors, err := s.process.Selectors(true)
		if err != nil {
			return Update{}, fmt.Errorf("prove who asks: %w", err)
		}
		s.selectors, s.digested = selectors, true
	}
	return s.issuer.Current(s.selectors)
}

// Wait blocks until the update may be outdated; false says that ctx ended first.
func (s *Session) Wait(ctx context.Context, u Update) bool {
	timer := time.NewTimer(u.Until.Sub(s.issuer.now()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-u.Changed:
	case <-timer.C:
	}
	return true
}
