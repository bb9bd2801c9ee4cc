package engine

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"
)

func TestAppendDuration(t *testing.T) {
	const ms = millisecond
	for ns, want := range map[int64]string{
		-5: "0ms", 0: "0ms", 1: "1ms", ms: "1ms", ms + 1: "2ms", 999 * ms: "999ms",
		1000 * ms: "1s", 1200 * ms: "1.2s", 1250 * ms: "1.25s", 1005 * ms: "1.005s", 59_999 * ms: "59.999s",
		60 * second: "1m0s", 60*second + 1: "1m1s", 360 * second: "6m0s", 3600 * second: "1h0m0s", 3599*second + ms: "1h0m0s",
		100*3600*second + 61*second: "100h1m1s", math.MaxInt64: "2562047h47m17s",
	} {
		if got := string(appendDuration(nil, ns)); got != want {
			t.Errorf("%d: %s, want %s", ns, got, want)
		}
	}
}

func TestParseTemperature(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "0.0": 0, "1": 1000, "0.7": 700, "2": 2000, "2.000": 2000, "0.0001": 1, "0.70001": 701, "1e0": 1000, "20e-1": 2000,
		"0.002E+3": 2000, "2e-9": 1, "0e99999": 0, "0.00000000000000000000001": 1, "1.9999999999999999999999": 2000,
		"1.00000000000000000000000": 1000,
	} {
		if got, ok := parseTemperature([]byte(text)); !ok || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-1", "-0", "2.0001", "2.00000000000000000000001", "3", "1e3", "1e99999", "abc", ".", "1e", "1e+", "1ex", "1x", "nan", "1 "} {
		if got, ok := parseTemperature([]byte(text)); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// FuzzParseTemperature compares with exact arithmetic.
func FuzzParseTemperature(f *testing.F) {
	f.Add("1.25e-1")
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseTemperature([]byte(text))
		var number json.Number
		if len(text) > 40 || strings.HasPrefix(text, "-") || json.Unmarshal([]byte(text), &number) != nil || number.String() != text {
			return
		}
		exact, isNumber := new(big.Rat).SetString(text)
		if !isNumber {
			return // an exponent beyond what exact arithmetic takes
		}
		exact.Mul(exact, big.NewRat(1000, 1))
		if want := exact.Cmp(big.NewRat(maxTemperature, 1)) <= 0; ok != want {
			t.Fatalf("%q: accepted %v, want %v", text, ok, want)
		}
		if !ok {
			return
		}
		up := new(big.Int).Add(exact.Num(), new(big.Int).Sub(exact.Denom(), big.NewInt(1)))
		if want := up.Div(up, exact.Denom()); want.Int64() != got {
			t.Fatalf("%q: %d, want %s", text, got, want)
		}
	})
}

func TestPercentDecode(t *testing.T) {
	var got text
	if !percentDecode(&got, "a%2Db%2d%E4%b8%ad+") || string(got.bytes()) != "a-b-中+" {
		t.Errorf("%q", got.bytes())
	}
	for _, bad := range []string{"%", "a%2", "%zz", "%2g", strings.Repeat("x", textBytes+1)} {
		if percentDecode(&got, bad) {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestScaled(t *testing.T) {
	for _, tt := range []struct{ a, b, c, want int64 }{
		{0, 5, 3, 0}, {7, 3, 2, 10}, {math.MaxInt64, 512, 1_000_000, 4722366482869645}, {math.MaxInt64, math.MaxInt64, 1, math.MaxInt64},
		{math.MaxInt64, 2, 1, math.MaxInt64}, {math.MaxInt64, 1, 1, math.MaxInt64},
	} {
		if got := scaled(tt.a, tt.b, tt.c); got != tt.want {
			t.Errorf("%d x %d / %d = %d, want %d", tt.a, tt.b, tt.c, got, tt.want)
		}
	}
}

func TestMediaType(t *testing.T) {
	for value, want := range map[string]mediaType{
		"": mediaAbsent, "application/json": mediaJSON, "APPLICATION/JSON\t;charset=utf-8": mediaJSON, "application/problem+json": mediaJSON,
		"+json": mediaOther, "application/jsonl": mediaOther, "TEXT/plain": mediaText, "text/": mediaOther, "text/plain; charset=gbk": mediaOther, "text/plain;charset=UTF-8; a": mediaText, "text/json": mediaText, "application/octet-stream": mediaOther,
	} {
		if got := parseMediaType(value); got != want {
			t.Errorf("%q: %d, want %d", value, got, want)
		}
	}
}
