package engine

// Admission is what a limit said to a request.
type Admission uint8

// Admissions.
const (
	AdmissionNone    Admission = iota // nothing that counts: a later limit refused
	AdmissionAllowed                  // it went on, and the limit was charged
	AdmissionLimited                  // the limit refused it
	AdmissionFailed                   // the store could not be used, whatever came of that
)

// Tally is what a request was to one limit, in what the limit counts: requests, or
// tokens as the limit weighs them. It is rounded down.
type Tally struct {
	Limit     int // index in the document's limits
	Admission Admission
	Reserved  int64
	Settled   int64 // Reserved, where the store failed in the end
}

// Tallies returns of how many limits Tally knows.
func (s *Stream) Tallies() int { return s.charges.count }

// Tally returns what the request was to the i-th limit that counted it. It is known
// after Finish.
func (s *Stream) Tally(i int) Tally {
	c, l := &s.charges.charge[i], s.limit(i)
	t := Tally{Limit: c.Limit}
	switch s.charges.state[i] {
	case chargeRefused:
		t.Admission = AdmissionLimited
	case chargeFailed, chargeSkipped:
		t.Admission = AdmissionFailed
	case chargeSettled, chargeTaken, chargeKept, chargeAsked, chargeReported:
		t.Admission = AdmissionAllowed
		t.Reserved = l.inTokens(c.CostMicro)
		t.Settled = t.Reserved
		if s.charges.state[i] == chargeSettled || s.charges.state[i] == chargeReported {
			t.Settled = l.inTokens(s.charges.actual[i])
		}
	}
	return t
}
