package sha256_test

import (
	"bytes"
	standard "crypto/sha256"
	"testing"

	"github.com/weirmesh/weir/filter/policy/sha256"
)

func sum(text []byte) (digest [sha256.Size]byte) {
	sha256.Sum(text, &digest)
	return digest
}

// Every length around the ends of blocks, against Go's own.
func TestSum(t *testing.T) {
	text := make([]byte, 300)
	for i := range text {
		text[i] = byte(i * 7)
	}
	for n := range text {
		if got, want := sum(text[:n]), standard.Sum256(text[:n]); got != want {
			t.Fatalf("%d bytes: %x, want %x", n, got, want)
		}
	}
}

func FuzzSum(f *testing.F) {
	f.Add([]byte("abc"))
	f.Add(bytes.Repeat([]byte("a"), 119))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := sum(text), standard.Sum256(text); got != want {
			t.Errorf("%x, want %x", got, want)
		}
	})
}

func TestSumAllocatesNothing(t *testing.T) {
	text := []byte("sk-an-api-key")
	var digest [sha256.Size]byte
	if n := testing.AllocsPerRun(100, func() { sha256.Sum(text, &digest) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
