package split_test

import (
	"strconv"
	"testing"

	"github.com/weirmesh/weir/filter/policy/split"
)

// Hashes of MurmurHash3_x86_32 with seed 0 that are published with other
// implementations.
func TestBucketIsMurmur3(t *testing.T) {
	for text, hash := range map[string]uint64{
		"":              0,
		"test":          0xba6bd213,
		"Hello, world!": 0xc0363e43,
		"The quick brown fox jumps over the lazy dog": 0x2e4ff723,
		"\x00\x00\x00\x00":                            0x2362f9de,
		"\xff\xff\xff\xff":                            0x76293b50,
		"\x21\x43\x65\x87":                            0xf55b516b,
		"\x21\x43\x65":                                0x7e4a8634,
		"\x21\x43":                                    0xa0f7b07a,
		"\x21":                                        0x72661cf4,
	} {
		want := uint16(hash * split.Buckets >> 32)
		for cut := range len(text) + 1 {
			if got := split.Bucket([]byte(text[:cut]), []byte(text[cut:])); got != want {
				t.Errorf("%q cut at %d: %d, want %d", text, cut, got, want)
			}
		}
	}
}

func TestBucketsAreEven(t *testing.T) {
	var tenths [10]int
	for i := range 100_000 {
		tenths[split.Bucket([]byte("salt"), []byte("user-"+strconv.Itoa(i)))/1000]++
	}
	for i, n := range tenths {
		if n < 9_700 || n > 10_300 {
			t.Errorf("tenth %d has %d of 100,000 users", i, n)
		}
	}
}

func TestRandom(t *testing.T) {
	for r, want := range map[uint64]uint16{0: 0, 1<<64 - 1: 9_999, 1 << 63: 5_000} {
		if got := split.Random(r); got != want {
			t.Errorf("%d: %d, want %d", r, got, want)
		}
	}
}

func TestPick(t *testing.T) {
	for _, tt := range []struct {
		weights []uint32
		bucket  uint16
		want    int
	}{
		{nil, 5, -1},
		{[]uint32{0, 0}, 5, -1},
		{[]uint32{1000, 9000}, 0, 0},
		{[]uint32{1000, 9000}, 999, 0},
		{[]uint32{1000, 9000}, 1000, 1},
		{[]uint32{1000, 9000}, 9999, 1},
		{[]uint32{0, 10_000}, 0, 1},
		{[]uint32{10, 90}, 109, 0}, // modulo 100
		{[]uint32{10, 90}, 110, 1},
	} {
		if got := split.Pick(tt.weights, tt.bucket); got != tt.want {
			t.Errorf("%v, bucket %d: %d, want %d", tt.weights, tt.bucket, got, tt.want)
		}
	}
}

// A canary that stands first and grows loses no user.
func TestPickIsMonotone(t *testing.T) {
	for bucket := range uint16(split.Buckets) {
		inside := false
		for w := uint32(0); w <= split.Buckets; w += 500 {
			now := split.Pick([]uint32{w, split.Buckets - w}, bucket) == 0
			if inside && !now {
				t.Fatalf("bucket %d left the canary at %d", bucket, w)
			}
			inside = now
		}
	}
}

func BenchmarkBucket(b *testing.B) {
	salt, user := []byte("minilm"), []byte("user-0123456789")
	for b.Loop() {
		split.Bucket(salt, user)
	}
}
