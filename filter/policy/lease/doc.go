// Package lease is an Envoy's side of budgets that are one over all Envoys: which
// share of a budget this Envoy may use, and what it tells the xds-server of the
// demand, from which that makes the shares.
//
// A share scales a bucket: capacity and refill are those of the budget times the
// share. The shares of all Envoys add up to 1 at most, so all buckets of a budget
// together hold and get no more than the budget. Buckets that nobody presses on
// have the default share, which is the same for all Envoys. Those that run low are
// told of with their demand, and get shares of their own, by the hash of their key.
//
// A share that grows brings refill at once, but capacity only as fast as that
// refill fills it: what another Envoy has spent must not be there once more.
//
// Everything is a value in bytes of fixed size, for a store such as Envoy's
// shared data. Times are Unix nanoseconds; package bucket has the units.
package lease

// Bounds and sizes.
const (
	// Whole is the share of an Envoy that has all of a budget.
	Whole = 1 << 30
	// Start is the share of an Envoy that has no lease yet: 5 %.
	Start = Whole / 20
	// Keys is how many buckets may have shares of their own at a time.
	Keys = 64
	// Default is the key of the share of all buckets without one of their own. No
	// bucket has it.
	Default = 0

	version = 1
)

// Error is an error of this package; its text is constant.
type Error string

// Error returns the text.
func (e Error) Error() string { return string(e) }

// Errors of an answer.
const (
	errVersion Error = "lease: the answer has another version"
	errSize    Error = "lease: the answer has a wrong size"
	errOrder   Error = "lease: the answer's keys are not in order"
	errShare   Error = "lease: the answer has a share above the whole"
)
