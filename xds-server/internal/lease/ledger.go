// Package lease divides budgets that are one over all Envoys. Each Envoy says once
// a second which shares it uses and what was wanted of its buckets; it is answered
// with the shares that it may use from now on.
//
// The shares of a bucket that Envoys use never add up to more than the whole,
// whatever gets lost: a share grows only by what another Envoy has said that it no
// longer uses, or by that of one that was not heard for the term of a lease. While
// shares move, those that are to say so, and those that wait for it, ask sooner. There
// are two exceptions: an Envoy that starts takes lease.Start on top until the others
// have made room, and one that is cut off for longer than the term keeps its share,
// which others are given as well.
//
// Ledger is pure: the time is an argument. Service is the gRPC service around it.
package lease

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/filter/policy/lease"
)

const (
	// Term is how long an Envoy's shares stay reserved for it after it was last heard.
	Term = 5 * time.Second
	// MaxHolders bounds the Envoys.
	MaxHolders = 4096

	// silence is after how long an Envoy's demand counts no more.
	silence = 3 * time.Second
	// cool is how long a bucket has shares of its own after it was last wanted.
	cool = 10 * time.Second
	// smooth and quick are the times over which demand is averaged, and jump how many
	// times the one may be the other: what some requests in a second differ by must not
	// move shares, but what has come, or is gone, must at once.
	smooth = 1500 * time.Millisecond
	quick  = 300 * time.Millisecond
	jump   = 3
	// soon is how soon an Envoy is to ask again while shares move, and crowd what that
	// grows by for each Envoy: together they ask a thousand times a second at most.
	soon  = 100 * time.Millisecond
	crowd = time.Millisecond
	// slack is the part of its due, an eighth, that an Envoy may keep on top if the
	// others have left it that: demand is never quite the same, and what moves is in
	// nobody's hands for a second or two.
	slack = 8
	// floors is the part of a budget that is divided evenly, whatever the demand: a
	// first request must find something.
	floors = lease.Whole / 50
)

// ErrTooMany says that there are MaxHolders Envoys already.
var ErrTooMany = errors.New("too many Envoys hold leases")

// Holder is one Envoy process.
type Holder struct {
	ID       spiffeid.ID
	Instance uint64
}

// Ledger is who holds which shares. It is not safe for concurrent use.
type Ledger struct {
	started time.Time // zero: no request yet
	holders map[Holder]*holder
	keys    map[uint64]*bucket // with shares of their own
}

// holder is an Envoy that was heard within the term.
type holder struct {
	heard  time.Time
	claims map[uint64]*claim // the default's among them
}

// claim is what an Envoy has of one bucket.
type claim struct {
	used uint32  // the largest share that it may be using
	rate float64 // micro-units per second that are wanted
	last float64 // those that were wanted most recently
}

// want takes notice of what was wanted in some seconds.
func (c *claim) want(demand int64, seconds float64) {
	rate := float64(demand) / seconds
	c.rate += (rate - c.rate) * -math.Expm1(-seconds/smooth.Seconds())
	c.last += (rate - c.last) * -math.Expm1(-seconds/quick.Seconds())
	if c.last > jump*c.rate || jump*c.last < c.rate {
		c.rate = c.last
	}
}

// bucket is a bucket with shares of its own.
type bucket struct {
	fillMs uint32
	wanted time.Time // last
}

// New returns an empty ledger. For the first Term nobody's share grows: Envoys that
// were not heard yet may hold the rest.
func New(now time.Time) *Ledger {
	return &Ledger{started: now, holders: map[Holder]*holder{}, keys: map[uint64]*bucket{}}
}

// Renew takes an Envoy's request and returns its shares.
func (l *Ledger) Renew(who Holder, r Request, now time.Time) (Answer, error) {
	l.expire(now)
	h, err := l.holder(who, now)
	if err != nil {
		return Answer{}, err
	}
	l.note(h, r, now)
	l.admit(r, now)
	l.release(now)
	l.forget(h)
	share, moves := l.grant(h, lease.Default, now)
	a := Answer{Grants: []Grant{{Key: lease.Default, Share: share}}}
	for _, key := range slices.Sorted(maps.Keys(l.keys)) {
		share, more := l.grant(h, key, now)
		moves = moves || more
		a.Grants = append(a.Grants, Grant{Key: key, Share: share, FillMs: l.keys[key].fillMs})
	}
	if moves {
		a.Again = soon + time.Duration(len(l.holders))*crowd
	}
	return a, nil
}

// Holders is the number of Envoys that were heard within the term.
func (l *Ledger) Holders(now time.Time) int {
	l.expire(now)
	return len(l.holders)
}

// Keys is the number of buckets with shares of their own.
func (l *Ledger) Keys() int { return len(l.keys) }

// expire forgets the Envoys that were not heard for a term.
func (l *Ledger) expire(now time.Time) {
	maps.DeleteFunc(l.holders, func(_ Holder, h *holder) bool { return now.Sub(h.heard) > Term })
}

func (l *Ledger) holder(who Holder, now time.Time) (*holder, error) {
	if h := l.holders[who]; h != nil {
		return h, nil
	}
	if len(l.holders) >= MaxHolders {
		return nil, ErrTooMany
	}
	h := &holder{heard: now.Add(-time.Second), claims: map[uint64]*claim{}}
	l.holders[who] = h
	return h, nil
}

// note writes down what an Envoy uses and wants.
func (l *Ledger) note(h *holder, r Request, now time.Time) {
	seconds := max(now.Sub(h.heard), time.Millisecond).Seconds()
	h.heard = now
	said := make(map[uint64]Want, len(r.Wants))
	for _, w := range r.Wants {
		said[w.Key] = w
	}
	for key := range l.keys {
		if _, ok := said[key]; !ok {
			said[key] = Want{Key: key, Share: lease.Unleased}
		}
	}
	inUse := r.Wants[0].Share
	for key, w := range said {
		c := h.claims[key]
		if c == nil {
			c = &claim{}
			h.claims[key] = c
		}
		if c.used = w.Share; w.Share == lease.Unleased {
			c.used = inUse
		}
		c.want(w.Demand, seconds)
	}
}

// forget drops what was said of buckets without shares of their own: what an Envoy
// uses of those is the default share, whatever that becomes.
func (l *Ledger) forget(h *holder) {
	maps.DeleteFunc(h.claims, func(key uint64, _ *claim) bool { return key != lease.Default && l.keys[key] == nil })
}

// admit gives buckets that are wanted shares of their own while there is room: the
// most wanted first.
func (l *Ledger) admit(r Request, now time.Time) {
	wants := slices.Clone(r.Wants[1:])
	slices.SortFunc(wants, func(a, b Want) int { return cmp.Or(cmp.Compare(b.Demand, a.Demand), cmp.Compare(a.Key, b.Key)) })
	for _, w := range wants {
		b := l.keys[w.Key]
		if b == nil && (len(l.keys) >= lease.Keys || w.Demand == 0 && !l.held(w, r.Wants[0].Share, now)) {
			continue
		}
		if b == nil {
			b = &bucket{wanted: now}
			l.keys[w.Key] = b
		}
		b.fillMs = w.FillMs
		if w.Demand > 0 {
			b.wanted = now
		}
	}
}

// held says whether a bucket that this ledger does not know has to be divided all the
// same: its Envoy may use more of it than of others, or, as far as a new server can
// know, another one may.
func (l *Ledger) held(w Want, otherwise uint32, now time.Time) bool {
	return w.Share != lease.Unleased && (w.Share > otherwise || now.Sub(l.started) < Term)
}

// release ends the shares of buckets that are not wanted any more, once every
// Envoy's is its default share or less: from then on some may use the one and some
// the other.
func (l *Ledger) release(now time.Time) {
	maps.DeleteFunc(l.keys, func(key uint64, b *bucket) bool {
		if now.Sub(b.wanted) < cool {
			return false
		}
		for _, h := range l.holders {
			if h.used(key) > h.used(lease.Default) {
				return false
			}
		}
		return true
	})
}

// used is the largest share of a bucket that an Envoy may be using.
func (h *holder) used(key uint64) uint32 {
	if c := h.claims[key]; c != nil {
		return c.used
	}
	return h.claims[lease.Default].used
}

// grant is the share of a bucket that an Envoy may use from now on: what is due to
// it, as far as it has that already or the others have made room. Where the shares
// are above the whole, or nothing is wanted, nobody keeps more than is due: so what Envoys
// took on top when they started is gone when all have asked once. moves says whether the others wait
// for the Envoy to say that it uses less, or it for one of them.
func (l *Ledger) grant(h *holder, key uint64, now time.Time) (share uint32, moves bool) {
	c := h.claims[key]
	if c == nil {
		c = &claim{used: h.used(lease.Default)}
		h.claims[key] = c
	}
	free, coming, sum := int64(lease.Whole), false, l.sum(key, now)
	for _, other := range l.holders {
		if other != h {
			used := int64(other.used(key))
			free -= used
			coming = coming || exceeds(used, l.due(other, key, sum, now)) && now.Sub(other.heard) <= silence
		}
	}
	if now.Sub(l.started) < Term {
		free, coming = 0, false
	}
	due := l.due(h, key, sum, now)
	share = uint32(min(due, max(free, int64(c.used))))
	if sum > 0 && share < c.used && !exceeds(int64(c.used), int64(share)) && int64(c.used) <= free {
		return c.used, false
	}
	moves = share < c.used || coming && exceeds(due, int64(share))
	c.used = max(c.used, share)
	return share, moves
}

// exceeds says whether a share is above another by more than the slack.
func exceeds(share, other int64) bool { return share-other > other/slack }

// due is the share that an Envoy is to have in the end: a small part for everybody,
// and the rest in proportion to its part of the sum of the demand. What nobody wants
// is divided evenly, or as buckets without shares of their own are, if that is less.
func (l *Ledger) due(h *holder, key uint64, sum float64, now time.Time) int64 {
	n := int64(len(l.holders))
	even := int64(lease.Whole) / n
	switch {
	case sum > 0:
		return floors/n + int64(float64(lease.Whole-floors)*(h.rate(key, now)/sum))
	case key == lease.Default:
		return even
	}
	return min(even, int64(h.used(lease.Default)))
}

// sum is what all Envoys want of a bucket, per second; 0 if nobody has for long.
func (l *Ledger) sum(key uint64, now time.Time) float64 {
	if b := l.keys[key]; b == nil || now.Sub(b.wanted) >= cool {
		return 0
	}
	sum := 0.0
	for _, h := range l.holders {
		sum += h.rate(key, now)
	}
	return sum
}

// rate is what an Envoy wants of a bucket, per second.
func (h *holder) rate(key uint64, now time.Time) float64 {
	c := h.claims[key]
	if c == nil || now.Sub(h.heard) > silence || c.rate < 1 {
		return 0
	}
	return c.rate
}
