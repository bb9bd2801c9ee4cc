package plugin

import (
	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/journal"
)

// pageCount is the number of pages of buckets in shared data. Envoy never evicts
// an entry, so their number is fixed: 4,096 pages of 256 bytes are 1 MiB and
// 32,768 buckets.
const pageCount = 4096

// maxRetries bounds the compare-and-swap loop. Four workers on two cores in a
// tight loop were seen to need up to 223.
const maxRetries = 1000

// Errors of the store; its caller applies the limit's onFailure.
const (
	errStoreUnusable  storeError = "shared data cannot be read or written"
	errStoreContended storeError = "shared data changed at every attempt"
)

type storeError string

func (e storeError) Error() string { return string(e) }

// pageHost holds the pages; the plugin's is Envoy's shared data.
type pageHost interface {
	// load returns page n and its version, or found false when it does not
	// exist yet. The bytes are valid until the next load.
	load(n uint32) (page []byte, version uint32, found bool, err error)
	// save writes page n if its version is still the one loaded (or if it still
	// does not exist, with found false); saved is false if another was faster.
	save(n uint32, page []byte, version uint32, found bool) (saved bool, err error)
}

// pageStore is a bucket.Store on pages under compare-and-swap.
type pageStore struct {
	host      pageHost
	leases    *leases
	journal   *journal.Journal
	local     bucket.Charge         // the charge at hand: of a shared budget, as this Envoy may make it
	scratch   [bucket.PageSize]byte // the page that is being changed
	conflicts uint64                // attempts that another worker beat, for a metric
	failures  [len(failureNames)]uint64
}

// failureNames are the ways in which a store can fail, each with a counter
// weir.bucket_failures.<name>.
var failureNames = [...]string{"full", "contended", "unusable"}

// Indices of failureNames.
const (
	failureFull = iota
	failureContended
	failureUnusable
)

var pageTable = bucket.Table{Pages: pageCount}

// Take charges c and lists it; see bucket.Store. Flush tells the list.
func (s *pageStore) Take(c *bucket.Charge, nowNs int64) (bucket.Result, error) {
	s.local = *c
	if c.Shared {
		s.local.Params = s.leases.scale(c, nowNs)
	}
	result, err := s.take(&s.local, nowNs)
	if err != nil {
		return result, err
	}
	if c.Shared {
		s.leases.count(c, s.local.Params, &result)
	}
	if result.Allowed {
		s.journal.Add(&s.local, result.TakenMicro, nowNs)
		c.Ticket = s.local.Ticket
	}
	return result, err
}

func (s *pageStore) take(c *bucket.Charge, nowNs int64) (bucket.Result, error) {
	n := pageTable.PageOf(c.Key)
	for range maxRetries {
		page, version, found, err := s.page(n)
		if err != nil {
			return bucket.Result{}, s.fail(failureUnusable, err)
		}
		result, changed, err := page.Take(c, nowNs)
		if err != nil {
			return bucket.Result{}, s.fail(failureFull, err)
		}
		if !changed {
			return result, nil
		}
		saved, err := s.host.save(n, page, version, found)
		if err != nil {
			return bucket.Result{}, s.fail(failureUnusable, err)
		}
		if saved {
			return result, nil
		}
		s.conflicts++
	}
	return bucket.Result{}, s.fail(failureContended, errStoreContended)
}

// Settle makes a Take one of actualMicro; see bucket.Store. The charge is struck off
// before that: if the VM traps in between, it stays spent.
func (s *pageStore) Settle(c *bucket.Charge, actualMicro, nowNs int64) (unpaid int64, err error) {
	taken, lost := s.journal.Remove(c, nowNs)
	if lost && c.Params.LeaseNs > 0 {
		return 0, nil // what was in flight was ended for it
	}
	s.local = *c
	s.local.CostMicro = taken
	if c.Shared {
		s.local.Params = s.leases.scale(c, nowNs)
	}
	return s.settle(&s.local, actualMicro, nowNs)
}

// SettleFor settles a charge of a worker that is dead.
func (s *pageStore) SettleFor(e *journal.Entry, nowNs int64) {
	_, _ = s.settle(&e.Charge, e.SpentMicro, nowNs) // a failure is counted, and leaves what was taken
}

func (s *pageStore) settle(c *bucket.Charge, actualMicro, nowNs int64) (unpaid int64, err error) {
	n := pageTable.PageOf(c.Key)
	for range maxRetries {
		page, version, found, err := s.page(n)
		if err != nil {
			return 0, s.fail(failureUnusable, err)
		}
		unpaid, changed, err := page.Settle(c, actualMicro, nowNs)
		if err != nil {
			return 0, s.fail(failureFull, err)
		}
		if !changed {
			return unpaid, nil
		}
		saved, err := s.host.save(n, page, version, found)
		if err != nil {
			return 0, s.fail(failureUnusable, err)
		}
		if saved {
			return unpaid, nil
		}
		s.conflicts++
	}
	return 0, s.fail(failureContended, errStoreContended)
}

// page copies page n into scratch; one that does not exist, or that another
// version of the layout left, is empty: its buckets are full again.
func (s *pageStore) page(n uint32) (page bucket.Page, version uint32, found bool, err error) {
	b, version, found, err := s.host.load(n)
	if err != nil {
		return nil, 0, false, err
	}
	if !found || len(b) != bucket.PageSize {
		s.scratch = [bucket.PageSize]byte{}
	} else {
		copy(s.scratch[:], b)
	}
	return s.scratch[:], version, found, nil
}

func (s *pageStore) fail(way int, err error) error {
	s.failures[way]++
	return err
}
