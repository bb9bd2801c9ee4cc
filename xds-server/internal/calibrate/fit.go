package calibrate

import (
	"fmt"
	"math"
	"slices"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// Numbers of the fit.
const (
	// MinSamples is how many requests there must be.
	MinSamples = 20

	// folds is into how many parts samples are split to find the error: each part is
	// estimated with what fits the others.
	folds = 5
	// pull is how strongly numbers are held at their defaults. A class that makes up a
	// tenth of two requests is about half free.
	pull = 0.02
	// leastScale is the size of a default in tokens that is taken for the pull, of
	// those that are smaller.
	leastScale = 0.5
	// rounds of weighing, steps of descent and what is too little to go on.
	rounds   = 30
	steps    = 10_000
	settled  = 1e-10
	huber    = 1.345  // times the spread is where an error begins to count less
	toSpread = 1.4826 // from the median of absolute errors
	// leastSpread is the relative error that is never too much.
	leastSpread = 0.01
)

// Result is what fits a model's samples.
type Result struct {
	Estimate spec.Estimate
	Seen     [spec.TextClasses]bool // classes that any sample has; the others keep their defaults
	Samples  int
	// Mean errors of the prompt's estimate, relative to what the model reported: of the
	// filter, and of numbers like these on requests that they were not fitted to.
	Before, After float64
}

// Fit finds the estimate whose relative errors have the least squares. Numbers are
// never negative. They are pulled towards their defaults, so that a class that is
// rare, or comes only together with another, does not run away; and errors far beyond
// the usual count less (Huber), because prompts may hold images or documents by name.
func Fit(samples []Sample) (*Result, error) {
	if len(samples) < MinSamples {
		return nil, fmt.Errorf("%d requests with counts and reported tokens, at least %d are needed", len(samples), MinSamples)
	}
	r := &Result{Estimate: fit(samples), Samples: len(samples)}
	for i := range samples {
		s := &samples[i]
		r.Before += relative(s.Estimated, s.Actual)
		for class, n := range s.Counts {
			r.Seen[class] = r.Seen[class] || n > 0
		}
	}
	for fold := range folds {
		var others []Sample
		for i := range samples {
			if i%folds != fold {
				others = append(others, samples[i])
			}
		}
		estimate := fit(others)
		for i := fold; i < len(samples); i += folds {
			r.After += relative(samples[i].Counts.Tokens(&estimate), samples[i].Actual)
		}
	}
	r.Before /= float64(len(samples))
	r.After /= float64(len(samples))
	return r, nil
}

// relative is how wrong an estimate is.
func relative(estimated, actual int64) float64 {
	return math.Abs(float64(estimated-actual)) / float64(actual)
}

// vector has a number for each class.
type vector [spec.TextClasses]float64

// fit weighs the samples anew until that changes nothing.
func fit(samples []Sample) spec.Estimate {
	rows := make([]vector, len(samples))
	weights := make([]float64, len(samples))
	for i := range samples {
		weights[i] = 1
		for class, n := range samples[i].Counts {
			rows[i][class] = float64(n) / float64(samples[i].Actual)
		}
	}
	var at vector
	for range rounds {
		next := solve(rows, weights)
		if weigh(rows, weights, &next); near(&next, &at) {
			break
		}
		at = next
	}
	var estimate spec.Estimate
	for class, tokens := range at {
		estimate[class] = int32(math.Round(min(tokens*1000, spec.MaxClassMilli)))
	}
	return estimate
}

// weigh gives samples that are much further off than most less weight.
func weigh(rows []vector, weights []float64, at *vector) {
	off := make([]float64, len(rows))
	for i := range rows {
		off[i] = math.Abs(rows[i].times(at) - 1)
	}
	spread := max(toSpread*median(off), leastSpread)
	for i := range off {
		weights[i] = min(1, huber*spread/max(off[i], math.SmallestNonzeroFloat64))
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// solve finds the numbers from 0 with the least weighted squares and pull, by going
// down one class after the other. The pull makes the bottom one point.
func solve(rows []vector, weights []float64) vector {
	var products [spec.TextClasses]vector
	var sums, at vector
	for i := range rows {
		for a, x := range rows[i] {
			sums[a] += weights[i] * x
			for b, y := range rows[i] {
				products[a][b] += weights[i] * x * y
			}
		}
	}
	for class, milli := range spec.DefaultEstimate {
		at[class] = float64(milli) / 1000
		hold := pull / math.Pow(max(at[class], leastScale), 2)
		products[class][class] += hold
		sums[class] += hold * at[class]
	}
	for range steps {
		before := at
		for class := range at {
			rest := sums[class] - products[class].times(&at) + products[class][class]*at[class]
			at[class] = max(rest/products[class][class], 0)
		}
		if near(&before, &at) {
			break
		}
	}
	return at
}

func (v *vector) times(w *vector) (sum float64) {
	for i := range v {
		sum += v[i] * w[i]
	}
	return sum
}

func near(a, b *vector) bool {
	for i := range a {
		if math.Abs(a[i]-b[i]) > settled {
			return false
		}
	}
	return true
}
