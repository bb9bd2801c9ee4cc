package plugin

import (
	"math"
	"strconv"
	"testing"
)

func TestAppendDecimal(t *testing.T) {
	for _, n := range []uint64{0, 1, 9, 10, 4095, 1 << 32, math.MaxUint64} {
		if got, want := string(appendDecimal([]byte("p."), n)), "p."+strconv.FormatUint(n, 10); got != want {
			t.Errorf("appendDecimal(%d) = %q, want %q", n, got, want)
		}
	}
}

// The numbers are those of the reference implementation at
// https://prng.di.unimi.it/splitmix64.c for the seed 1234567.
func TestSplitmix64(t *testing.T) {
	s := splitmix64{state: 1234567}
	for i, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423} {
		if got := s.next(); got != want {
			t.Errorf("number %d is %d, want %d", i, got, want)
		}
	}
}
