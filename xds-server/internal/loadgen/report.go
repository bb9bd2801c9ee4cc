package loadgen

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is what a run saw.
type Report struct {
	Statuses map[int]int64 // answers by status
	Broken   int64         // connections that could not be opened or broke before the answer
	Elapsed  time.Duration
	// Odd are the first answers of a status that Options.Want does not name, and
	// the first connections that broke, by time.
	Odd []Odd

	latencies []time.Duration // sorted once merged
}

// Odd is something that went wrong with one request.
type Odd struct {
	At     time.Duration // from the start of the run
	Status int           // 0: no answer
	Text   string        // the answer's body, or why there was none
}

// maxOdd bounds what is kept of each connection, and of all.
const maxOdd = 10

func newReport(capacity int) *Report {
	return &Report{Statuses: map[int]int64{}, latencies: make([]time.Duration, 0, capacity)}
}

func (r *Report) add(status int, d time.Duration) {
	r.Statuses[status]++
	r.latencies = append(r.latencies, d)
}

func (r *Report) odd(o Odd) {
	if len(r.Odd) < maxOdd {
		r.Odd = append(r.Odd, o)
	}
}

func merge(parts []*Report, elapsed time.Duration) *Report {
	sum := newReport(0)
	sum.Elapsed = elapsed
	for _, p := range parts {
		sum.Broken += p.Broken
		sum.latencies = append(sum.latencies, p.latencies...)
		sum.Odd = append(sum.Odd, p.Odd...)
		for s, n := range p.Statuses {
			sum.Statuses[s] += n
		}
	}
	slices.Sort(sum.latencies)
	slices.SortFunc(sum.Odd, func(a, b Odd) int { return cmp.Compare(a.At, b.At) })
	sum.Odd = sum.Odd[:min(len(sum.Odd), maxOdd)]
	return sum
}

// Answered is the number of requests that were answered, whatever the status.
func (r *Report) Answered() int64 { return int64(len(r.latencies)) }

// Rate is answers per second.
func (r *Report) Rate() float64 { return float64(r.Answered()) / r.Elapsed.Seconds() }

// Quantile is the latency below which the share q (0..1) of the answers came.
func (r *Report) Quantile(q float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[min(int(q*float64(len(r.latencies))), len(r.latencies)-1)]
}

// Only reports whether every request was answered, and with that status.
func (r *Report) Only(status int) bool {
	return r.Broken == 0 && r.Answered() > 0 && r.Statuses[status] == r.Answered()
}

// String is for people: one line, and one for each odd answer that was kept.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d answers in %s (%.0f/s, p50 %s, p99 %s)", r.Answered(), r.Elapsed.Round(time.Millisecond),
		r.Rate(), r.Quantile(.5).Round(time.Microsecond), r.Quantile(.99).Round(time.Microsecond))
	for _, s := range slices.Sorted(maps.Keys(r.Statuses)) {
		fmt.Fprintf(&b, ", %d: %d", s, r.Statuses[s])
	}
	if r.Broken > 0 {
		fmt.Fprintf(&b, ", broken connections: %d", r.Broken)
	}
	for _, o := range r.Odd {
		fmt.Fprintf(&b, "\n  after %s: %d %s", o.At.Round(time.Millisecond), o.Status, o.Text)
	}
	return b.String()
}
