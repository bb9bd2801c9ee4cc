package bucket

// Charge is what one limit wants of one request.
type Charge struct {
	Key       uint64 // names the bucket, see Key.Sum
	Params    Params // of the whole budget; a store of one Envoy may hold a share of it
	CostMicro int64
	AtNs      int64 // when it is taken
	// LeastMicro, if above 0, is with what the request can do: where CostMicro is not
	// there, what is there is taken, but no less than this.
	LeastMicro int64
	Shared     bool // the budget is one over all Envoys, see package lease
	Limit      int  // index of the limit in the policy document

	Ticket Ticket // of the store
}

// Ticket is where a store has listed a charge that is taken, and how.
type Ticket struct {
	Number     uint16 // 0: it is not listed
	Generation uint32
	SpentMicro int64 // what it costs if nobody ever settles it
}

// Store keeps buckets. Both calls are atomic towards every other user of the
// same buckets.
type Store interface {
	// Take charges c at nowNs. An error means that the store could not be
	// used and that nothing was charged; a refusal is no error.
	Take(c *Charge, nowNs int64) (Result, error)
	// Settle makes a Take of the same charge one of actualMicro (0 undoes it), and
	// returns what is beyond what the bucket may owe, in micro-units.
	Settle(c *Charge, actualMicro, nowNs int64) (unpaid int64, err error)
}

// Error is an error of this package; its text is constant.
type Error string

// Error returns the text.
func (e Error) Error() string { return string(e) }

// Errors of a page and of a store of pages.
const (
	// ErrTableFull: every entry of the key's page is in use and not idle.
	ErrTableFull Error = "bucket: every entry of the page is in use; raise the number of pages"
	// ErrNoKey: a charge with key 0, which no Key.Sum returns.
	ErrNoKey Error = "bucket: a charge has no key"
	// ErrPageSize: the bytes are no page, see PageSize.
	ErrPageSize Error = "bucket: a page has a wrong size; another version of the table left it"
)
