package catalog

import (
	"fmt"
	"slices"
	"time"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
)

// defaultLease is how long a request is counted as in flight whose end is never seen.
const defaultLease = 10 * time.Minute

// period is an amount for a time, as it is written.
type period struct {
	name    string
	amount  *api.Decimal
	seconds int64 // 0 stands for 1
}

// periods are those that a rate names; it should be one.
func (c *checker) periods(u *unit, field string, written *api.Rate) []period {
	set := slices.DeleteFunc([]period{
		{"perSecond", written.PerSecond, 0}, {"perMinute", written.PerMinute, 60},
		{"perHour", written.PerHour, 3600}, {"perDay", written.PerDay, 86_400},
	}, func(p period) bool { return p.amount == nil })
	if len(set) > 1 {
		c.at(u, field+"."+set[1].name, set[0].name+" and "+set[1].name+" are both set", "remove one of the two")
	}
	return set
}

// rate builds what flows in and how much there is room for.
func (c *checker) rate(u *unit, field string, written *api.Rate) spec.Rate {
	set := c.periods(u, field, written)
	if len(set) == 0 {
		if !u.doc.Failed(field+".perSecond") && !u.doc.Failed(field+".perMinute") && !u.doc.Failed(field+".perHour") && !u.doc.Failed(field+".perDay") {
			c.at(u, field, "nothing flows in", "set one of perSecond, perMinute, perHour and perDay")
		}
		return spec.Rate{Capacity: 1}
	}
	p := set[0]
	amount := p.amount.Milli()
	if amount == 0 {
		c.at(u, field+"."+p.name, "a bucket that never refills refuses every request once it is empty", "use a number above 0, or a quota")
	}
	whole := int((amount + 999) / 1000)
	burst := c.inRange(u, field+".burst", written.Burst, max(whole, 1), 1, maxTokenCount)
	return spec.Rate{Capacity: int64(burst), RefillMilli: amount, Per: p.seconds}
}

func (c *checker) inFlight(u *unit, written *api.InFlight) spec.InFlight {
	lease := c.positive(u, "spec.inFlight.lease", written.Lease, defaultLease)
	if lease%time.Second != 0 {
		c.at(u, "spec.inFlight.lease", fmt.Sprintf("%s is not a whole number of seconds", lease), "")
	}
	return spec.InFlight{
		Capacity: int64(c.bounded(u, "spec.inFlight.max", written.Max, 1, spec.MaxInFlight)),
		Lease:    max(int64(lease/time.Second), 1),
	}
}

// quota checks the amounts of a quota.
func (c *checker) quota(u *unit, q *api.Quota) {
	if q.Tokens == nil && q.Requests == nil {
		c.at(u, "spec.quota", "there is no amount", "set tokens, requests or both")
	}
	c.amounts(u, "spec.quota", q.Tokens, q.Requests)
}

func (c *checker) amounts(u *unit, field string, tokens, requests *int) {
	if tokens != nil {
		c.bounded(u, field+".tokens", *tokens, 1, spec.MaxCapacity)
	}
	if requests != nil {
		c.bounded(u, field+".requests", *requests, 1, spec.MaxCapacity)
	}
}
