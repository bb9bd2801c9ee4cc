package sha256_test

import (
	"bytes"
	"crypto/hmac"
	standard "crypto/sha256"
	"testing"

	"github.com/weirmesh/weir/filter/policy/sha256"
)

// FuzzPieces takes a text in two pieces and under a key, against Go's own.
func FuzzPieces(f *testing.F) {
	f.Add([]byte("key"), []byte("abc"), 1)
	f.Add(bytes.Repeat([]byte{7}, 64), bytes.Repeat([]byte("a"), 200), 63)
	f.Fuzz(func(t *testing.T, key, text []byte, at int) {
		if len(key) > 64 {
			key = key[:64]
		}
		at = max(0, min(at, len(text)))
		checkPieces(t, key, text, at)
	})
}

func TestPieces(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789abcdef"), 10)
	for n := range text {
		for at := 0; at <= n; at += 7 {
			checkPieces(t, text[:n%65], text[:n], at)
		}
	}
}

func checkPieces(t *testing.T, key, text []byte, at int) {
	t.Helper()
	var h sha256.Hash
	var digest [sha256.Size]byte
	h.Reset()
	h.Write(text[:at])
	h.Write(text[at:])
	h.Sum(&digest)
	if want := standard.Sum256(text); digest != want {
		t.Fatalf("%d+%d bytes: %x, want %x", at, len(text)-at, digest, want)
	}
	var m sha256.HMAC
	m.SetKey(key)
	own := hmac.New(standard.New, key)
	own.Write(text)
	for range 2 { // the second message is like the first
		m.Write(text[:at])
		m.Write(text[at:])
		m.Sum(&digest)
		if want := own.Sum(nil); !bytes.Equal(digest[:], want) {
			t.Fatalf("under a key: %x, want %x", digest, want)
		}
	}
}

func TestHMACAllocatesNothing(t *testing.T) {
	text := []byte("some text")
	var m sha256.HMAC
	var digest [sha256.Size]byte
	if n := testing.AllocsPerRun(100, func() {
		m.SetKey(text)
		m.Write(text)
		m.Sum(&digest)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
