package journal

import (
	"testing"

	"github.com/weirmesh/weir/filter/policy/bucket"
)

// Whoever settles for a dead worker needs all that the bucket's arithmetic reads.
func TestEntryRoundTrip(t *testing.T) {
	want := Entry{
		Charge: bucket.Charge{
			Key: 1<<63 | 1, CostMicro: 2, AtNs: 3,
			Params: bucket.Params{CapacityMicro: 4, RefillMicroPerSec: 5, WindowNs: 6, LeaseNs: 7, WholeMicro: 8},
		},
		SpentMicro: 9,
	}
	var b [entrySize]byte
	want.put(b[:])
	var got Entry
	if !got.get(b[:]) || got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got.get(make([]byte, entrySize)) {
		t.Error("bytes of zero are an entry")
	}
}
