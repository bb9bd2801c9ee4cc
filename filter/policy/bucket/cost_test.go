package bucket_test

import (
	"math"
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// The numbers of the articles that the semantic mode comes from.
var articles = spec.Semantic{
	FloorMilli: 20_000, RefillMilli: 300, TokensPerUnit: 512, MaxTokens: 512, DefaultOutput: 512, DefaultKMilli: 1000,
	Models: []spec.SemanticModel{
		{Model: "gpt-4", BaseMilli: 100_000, KMilli: 1200},
		{Model: "llama3-70b", BaseMilli: 80_000, KMilli: 1000},
		{Model: "phi-3", BaseMilli: 30_000, KMilli: 600},
	},
}

func TestSemanticParams(t *testing.T) {
	for _, c := range []struct {
		model     string
		maxTokens int64
		capacity  int64
		refill    int64
	}{
		{"gpt-4", 0, 100 * unit, 30 * unit},
		{"gpt-4", 1024, 200 * unit, 60 * unit},
		{"llama3-70b", 512, 80 * unit, 24 * unit},
		{"phi-3", 512, 30 * unit, 9 * unit},
		{"phi-3", 100, 20 * unit, 6 * unit}, // the floor
		{"phi-3", 513, 30_058_593, 9_017_577},
		{"unknown", 0, 20 * unit, 6 * unit},
		{"unknown", 100_000, 20 * unit, 6 * unit},
		{"gpt-4", math.MaxInt64, math.MaxInt64, math.MaxInt64 / 1000 * 300},
	} {
		got := bucket.SemanticParams(&articles, c.model, c.maxTokens)
		if got.CapacityMicro != c.capacity || (got.RefillMicroPerSec-c.refill)/1000 != 0 {
			t.Errorf("%s, %d: %+v, want %d and %d", c.model, c.maxTokens, got, c.capacity, c.refill)
		}
	}
}

func TestSemanticCost(t *testing.T) {
	for _, c := range []struct {
		model                string
		prompt, output, temp int64
		want                 int64
	}{
		{"gpt-4", 0, 512, 0, unit},
		{"gpt-4", 512, 512, 0, 2 * unit},
		{"gpt-4", 512, 512, 1000, 3_200_000},
		{"gpt-4", 512, 512, 2000, 4_400_000},
		{"phi-3", 512, 512, 1000, 2_600_000},
		{"unknown", 512, 512, 1000, 3_000_000},
		{"phi-3", 1, 0, 0, 1954},   // 1/512 = 0.001953125, up
		{"phi-3", 1, 0, 333, 2149}, // 1.0999/512 = 0.00214824...
		{"phi-3", -5, -5, -1, 0},
		{"gpt-4", math.MaxInt64, 1, 2000, math.MaxInt64},
	} {
		if got := bucket.SemanticCost(&articles, c.model, c.prompt, c.output, c.temp); got != c.want {
			t.Errorf("%s %d+%d at %d: %d, want %d", c.model, c.prompt, c.output, c.temp, got, c.want)
		}
	}
}

func TestTokensMode(t *testing.T) {
	limit := spec.Tokens{Capacity: 1000, RefillMilli: 2500}
	if got, want := bucket.TokenParams(&limit), (bucket.Params{CapacityMicro: 1000 * unit, RefillMicroPerSec: 2_500_000}); got != want {
		t.Errorf("params %+v, want %+v", got, want)
	}
	if got := bucket.TokenCost(&spec.Tokens{}, 10, 4, 20); got != 30*unit {
		t.Errorf("cost %d, want 30 units", got)
	}
	if got := bucket.TokenCost(&spec.Tokens{}, math.MaxInt64, 0, math.MaxInt64); got != math.MaxInt64 {
		t.Errorf("cost %d, want it saturated", got)
	}
}

func TestTokenWeights(t *testing.T) {
	weights := spec.Tokens{InputMilli: 500, CachedMilli: 50, OutputMilli: 4000}
	for _, c := range []struct{ prompt, cached, output, want int64 }{
		{100, 0, 0, 50 * unit},
		{100, 80, 0, 14 * unit},
		{100, 100, 10, 45 * unit},
		{100, 900, 0, 5 * unit}, // a report that makes no sense
		{-1, -1, -1, 0},
	} {
		if got := bucket.TokenCost(&weights, c.prompt, c.cached, c.output); got != c.want {
			t.Errorf("%+v costs %d", c, got)
		}
	}
}
