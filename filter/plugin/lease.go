package plugin

import (
	"encoding/binary"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/lease"
)

// Times of leases, in nanoseconds.
const (
	// leaseFresh is how old the copy of the leases may be that a charge goes by.
	leaseFresh = 50_000_000
	// leaseTick is the least time between two turns of a worker: several
	// configurations of one VM tick, each ten times a second.
	leaseTick = 50_000_000
	// leasePace is the time between two renewals, but for half a tick, unless the
	// xds-server asks for the next one sooner.
	leasePace = 950_000_000
	// leaseStale is after how long without a sign of the caller another worker, or
	// the main thread, takes its place.
	leaseStale = 2_500_000_000
	// leaseLost is after how long a call without an answer or a failure is given up.
	leaseLost = 5_000_000_000
)

// leaseTimeout bounds a call to the xds-server: it is over when the next one is due.
const leaseTimeoutMilliseconds = 800

// Names in shared data.
const (
	leaseTableName  = "weir.l.t" // a lease.Table
	leaseDemandName = "weir.l.d" // a lease.Demand: of all workers since the last call
	leaseCallerName = "weir.l.c" // who calls, and when it last did
)

// leaseHost is what leases, and seals, need of Envoy.
type leaseHost interface {
	// get returns a value of shared data and its version, or found false. The bytes
	// are valid until the next get.
	get(name string) (value []byte, version uint32, found bool, err error)
	// set writes a value if its version is still the one that get returned, or, with
	// found false, if there is still none.
	set(name string, value []byte, version uint32, found bool) (saved bool, err error)
	// call sends a body to the xds-server; the answer comes to answered.
	call(body []byte) error
}

// leases are this worker's view of the shares of budgets that are one over all
// Envoys. The leases themselves stand in shared data; one worker or the main thread
// renews them.
type leases struct {
	host leaseHost
	self uint64 // this VM

	table  [lease.TableSize]byte // a copy
	readAt int64                 // when; 0: never
	wanted [lease.DemandSize]byte
	tickAt int64
	turnAt int64 // when it was last time to renew
	callAt int64 // 0: no call is under way
	heldAt int64 // since when the last answer is in force
	soonAt int64 // 0, or when it wants the next renewal

	scratch  [lease.TableSize]byte
	all      [lease.DemandSize]byte
	request  [callHeader + lease.MaxRequest]byte
	renewals uint64 // for a metric
	failures uint64 // renewals that failed, for a metric
}

// scale returns what of c's budget this Envoy may use now.
func (l *leases) scale(c *bucket.Charge, nowNs int64) bucket.Params {
	if age := nowNs - l.readAt; age < 0 || age > leaseFresh {
		l.read(nowNs)
	}
	return lease.Table(l.table[:]).Scale(c.Key, c.Params, nowNs)
}

// read copies the leases. If there are none, this Envoy has just started. If they
// cannot be read, the last ones hold.
func (l *leases) read(nowNs int64) {
	value, _, found, err := l.host.get(leaseTableName)
	switch {
	case err == nil && found && lease.Table(value).Valid():
		copy(l.table[:], value)
	case l.readAt == 0:
		lease.Table(l.table[:]).Init(0, nowNs)
	}
	l.readAt = nowNs
}

// count notes what was wanted of a bucket that runs low, or that has a share of its
// own. What is far from its end needs none.
func (l *leases) count(c *bucket.Charge, local bucket.Params, r *bucket.Result) {
	if r.Allowed && r.RemainingMicro > local.CapacityMicro/2 && !lease.Table(l.table[:]).Has(c.Key) {
		return
	}
	lease.Demand(l.wanted[:]).Add(c.Key, c.CostMicro, lease.FillMs(c.Params))
}

// tick tells the other workers what this one wanted, and renews the leases if that
// is this worker's part.
func (l *leases) tick(nowNs int64) {
	if since := nowNs - l.tickAt; since >= 0 && since < leaseTick {
		return
	}
	l.tickAt = nowNs
	if err := l.renew(nowNs); err != nil {
		l.failures++
	}
}

func (l *leases) renew(nowNs int64) error {
	if err := l.share(); err != nil {
		return err
	}
	if !l.due(nowNs) {
		return nil
	}
	l.turnAt, l.soonAt = nowNs, 0
	chosen, err := l.chosen(nowNs)
	if err != nil || !chosen {
		return err
	}
	if l.callAt != 0 && nowNs-l.callAt < leaseLost {
		return nil
	}
	if err := l.start(nowNs); err != nil {
		return err
	}
	if err := l.collect(); err != nil {
		return err
	}
	message := lease.AppendRequest(l.request[callHeader:callHeader], lease.Table(l.table[:]), lease.Demand(l.all[:]))
	body := frame(l.request[:], len(message))
	l.callAt = nowNs
	if err := l.host.call(body); err != nil {
		l.callAt = 0
		return err
	}
	return nil
}

// due says whether it is time to renew. A worker's copy is older than the last answer
// for leaseFresh at most: only then do all workers use what the next call says.
func (l *leases) due(nowNs int64) bool {
	if age := nowNs - l.heldAt; age >= 0 && age < leaseFresh {
		return false
	}
	since := nowNs - l.turnAt
	return since < 0 || since >= leasePace || l.soonAt != 0 && nowNs >= l.soonAt
}

// share adds this worker's demand to that of all.
func (l *leases) share() error {
	if lease.Demand(l.wanted[:]).Empty() {
		return nil
	}
	for range maxRetries {
		value, version, found, err := l.host.get(leaseDemandName)
		if err != nil {
			return err
		}
		l.demand(value)
		lease.Demand(l.all[:]).AddAll(l.wanted[:])
		saved, err := l.host.set(leaseDemandName, l.all[:], version, found)
		if err != nil {
			return err
		}
		if saved {
			clear(l.wanted[:])
			return nil
		}
	}
	return errStoreContended
}

// collect takes the demand of all workers out of shared data.
func (l *leases) collect() error {
	for range maxRetries {
		value, version, found, err := l.host.get(leaseDemandName)
		if err != nil {
			return err
		}
		l.demand(value)
		if lease.Demand(l.all[:]).Empty() {
			return nil
		}
		saved, err := l.host.set(leaseDemandName, nothing[:], version, found)
		if err != nil || saved {
			return err
		}
	}
	return errStoreContended
}

// nothing is a lease.Demand of nothing.
var nothing [lease.DemandSize]byte

// demand copies a demand from shared data, or none.
func (l *leases) demand(value []byte) {
	if len(value) != lease.DemandSize {
		value = nothing[:]
	}
	copy(l.all[:], value)
}

// chosen says whether this worker is the one that calls: the one that did last, or
// any if that has not for long.
func (l *leases) chosen(nowNs int64) (bool, error) {
	value, version, found, err := l.host.get(leaseCallerName)
	if err != nil {
		return false, err
	}
	if len(value) == 16 && binary.LittleEndian.Uint64(value) != l.self {
		silent := nowNs - int64(binary.LittleEndian.Uint64(value[8:]))
		if silent >= 0 && silent < leaseStale {
			return false, nil
		}
	}
	mine := l.scratch[:16]
	binary.LittleEndian.PutUint64(mine, l.self)
	binary.LittleEndian.PutUint64(mine[8:], uint64(nowNs))
	return l.host.set(leaseCallerName, mine, version, found)
}

// start reads the leases, and makes those of an Envoy that has none.
func (l *leases) start(nowNs int64) error {
	value, version, found, err := l.host.get(leaseTableName)
	if err != nil {
		return err
	}
	if found && lease.Table(value).Valid() {
		copy(l.table[:], value)
		l.readAt = nowNs
		return nil
	}
	lease.Table(l.scratch[:]).Init(l.self, nowNs)
	saved, err := l.host.set(leaseTableName, l.scratch[:], version, found)
	if err != nil || !saved {
		return errOr(err, errStoreContended)
	}
	copy(l.table[:], l.scratch[:])
	l.readAt = nowNs
	return nil
}

// answered puts the answer to the last call in force. body is nil if there is none;
// it must outlive a get.
func (l *leases) answered(body []byte, nowNs int64) {
	l.callAt = 0
	if err := l.apply(body, nowNs); err != nil {
		l.failures++
		return
	}
	l.renewals++
}

func (l *leases) apply(body []byte, nowNs int64) error {
	message, err := unframe(body)
	if err != nil {
		return err
	}
	caller, _, found, err := l.host.get(leaseCallerName)
	if err != nil || !found || len(caller) != 16 || binary.LittleEndian.Uint64(caller) != l.self {
		return errOr(err, errReplaced)
	}
	value, version, found, err := l.host.get(leaseTableName)
	if err != nil || !found || !lease.Table(value).Valid() {
		return errOr(err, errStoreUnusable)
	}
	copy(l.table[:], value)
	if err := lease.Table(l.scratch[:]).Renew(l.table[:], message, nowNs); err != nil {
		return err
	}
	saved, err := l.host.set(leaseTableName, l.scratch[:], version, found)
	if err != nil || !saved {
		return errOr(err, errStoreContended)
	}
	copy(l.table[:], l.scratch[:])
	l.readAt, l.heldAt = nowNs, nowNs
	if again := lease.Again(message); again != 0 {
		l.soonAt = nowNs + int64(again)*1_000_000
	}
	return nil
}

// errReplaced: another worker has taken the caller's place, so that the answer may
// be older than one that is in force.
const errReplaced storeError = "another worker renews the leases"

func errOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
