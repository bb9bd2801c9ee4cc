package calibrate_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/filter/policy/tokens"
	"github.com/weirmesh/weir/xds-server/internal/calibrate"
)

// truth is a model that no default fits.
var truth = spec.Estimate{
	spec.ClassWords: 1_300, spec.ClassNumbers: 2_000, spec.ClassMarks: 400, spec.ClassPieces: 0, spec.ClassHan: 700, spec.ClassMessages: 6_000,
}

// made makes requests of a model that is as truth says, with so much noise.
func made(n int, noise float64) []calibrate.Sample {
	random := rand.New(rand.NewPCG(uint64(n), 3))
	var all []calibrate.Sample
	for range n {
		c := tokens.Counts{
			spec.ClassWords: 20 + random.Int64N(200), spec.ClassNumbers: random.Int64N(40), spec.ClassMarks: random.Int64N(60),
			spec.ClassPieces: random.Int64N(80), spec.ClassHan: random.Int64N(300), spec.ClassMessages: 1 + random.Int64N(9),
		}
		actual := float64(c.Tokens(&truth)) * (1 + noise*(2*random.Float64()-1))
		all = append(all, calibrate.Sample{Model: "m", Counts: c, Estimated: c.Tokens(nil), Actual: int64(math.Round(actual))})
	}
	return all
}

func fit(t *testing.T, all []calibrate.Sample) *calibrate.Result {
	t.Helper()
	result, err := calibrate.Fit(all)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// closeTo checks the classes that the samples have.
func closeTo(t *testing.T, got spec.Estimate, milli float64) {
	t.Helper()
	for _, class := range []spec.TextClass{spec.ClassWords, spec.ClassNumbers, spec.ClassMarks, spec.ClassPieces, spec.ClassHan, spec.ClassMessages} {
		if math.Abs(float64(got[class]-truth[class])) > milli*max(1, float64(truth[class])/1000) {
			t.Errorf("%s: %d, want %d", class, got[class], truth[class])
		}
	}
}

func TestFitFindsTheTruth(t *testing.T) {
	result := fit(t, made(2000, 0))
	closeTo(t, result.Estimate, 20)
	if result.Before < 0.1 || result.After > 0.01 || result.Samples != 2000 {
		t.Errorf("%+v", result)
	}
	noisy := fit(t, made(2000, 0.2))
	closeTo(t, noisy.Estimate, 80)
	if noisy.After < 0.05 || noisy.After > 0.12 {
		t.Errorf("with noise of 20%%, the error after is %.3f", noisy.After)
	}
}

// A class that no request has keeps its default; nothing becomes negative.
func TestFitKeepsWhatItDoesNotSee(t *testing.T) {
	result := fit(t, made(500, 0.1))
	for class, seen := range result.Seen {
		if want := spec.DefaultEstimate[class]; !seen && result.Estimate[class] != want {
			t.Errorf("%s: %d, want the default %d", spec.TextClass(class), result.Estimate[class], want)
		}
		if result.Estimate[class] < 0 {
			t.Errorf("%s: %d is negative", spec.TextClass(class), result.Estimate[class])
		}
	}
	if result.Seen[spec.ClassEmoji] || !result.Seen[spec.ClassHan] {
		t.Errorf("seen: %v", result.Seen)
	}
}

// Two classes that only come together share what they cost, instead of running away
// from each other.
func TestFitOfCollinearClasses(t *testing.T) {
	all := made(500, 0.05)
	for i := range all {
		all[i].Counts[spec.ClassWide] = all[i].Counts[spec.ClassHan]
	}
	result := fit(t, all)
	sum := result.Estimate[spec.ClassHan] + result.Estimate[spec.ClassWide]
	if sum < 650 || sum > 750 || result.After > 0.05 {
		t.Errorf("Han %d and wide %d, error %.3f", result.Estimate[spec.ClassHan], result.Estimate[spec.ClassWide], result.After)
	}
}

// Requests with images in them, say, cost many times their text.
func TestFitOfOutliers(t *testing.T) {
	all := made(1000, 0.05)
	for i := 0; i < len(all); i += 20 {
		all[i].Actual *= 15
	}
	closeTo(t, fit(t, all).Estimate, 120)
}

// One kind of request fits nothing else, but must not do harm.
func TestFitOfOneRequestOverAndOver(t *testing.T) {
	c := tokens.Counts{spec.ClassWords: 10, spec.ClassMessages: 1, spec.ClassRequests: 1}
	var all []calibrate.Sample
	for range calibrate.MinSamples {
		all = append(all, calibrate.Sample{Model: "m", Counts: c, Estimated: 14, Actual: 20})
	}
	result := fit(t, all)
	if got := c.Tokens(&result.Estimate); got < 19 || got > 21 {
		t.Errorf("%d tokens by %v, want 20", got, result.Estimate)
	}
	for class, milli := range result.Estimate {
		if milli > 4*max(spec.DefaultEstimate[class], 1_000) {
			t.Errorf("%s: %d", spec.TextClass(class), milli)
		}
	}
	if _, err := calibrate.Fit(all[1:]); err == nil || !strings.Contains(err.Error(), "at least 20") {
		t.Errorf("of %d requests: %v", len(all)-1, err)
	}
}

// No sample breaks the fit: the numbers stay where a Model may have them.
func FuzzFit(f *testing.F) {
	f.Add(int64(0), int64(1), int64(1))
	f.Add(int64(1)<<40, int64(3), int64(1))
	f.Add(int64(2), int64(1)<<40, int64(9))
	f.Fuzz(func(t *testing.T, han, actual, requests int64) {
		all := made(40, 0.1)
		for i := range 20 {
			all[i].Actual = max(actual, 1)
			all[i].Counts[spec.ClassHan], all[i].Counts[spec.ClassRequests] = max(han, 0), max(requests, 0)
		}
		for class, milli := range fit(t, all).Estimate {
			if milli < 0 || milli > spec.MaxClassMilli {
				t.Errorf("%s: %d", spec.TextClass(class), milli)
			}
		}
	})
}
