package plugin

import (
	"encoding/binary"
	"testing"
)

type header struct{ name, value string }

func marshal(headers []header) []byte {
	var w pairsWriter
	w.reset(len(headers))
	for _, h := range headers {
		w.announce(h.name, []byte(h.value))
	}
	for _, h := range headers {
		w.write(h.name, []byte(h.value))
	}
	return w.b
}

func read(b []byte) (headers []header, ok bool) {
	p := newPairs(b)
	for p.next() {
		headers = append(headers, header{string(p.name), string(p.value)})
	}
	return headers, !p.bad
}

func TestPairsRoundTrip(t *testing.T) {
	for _, want := range [][]header{
		nil,
		{{":path", "/"}},
		{{":method", "POST"}, {"x-empty", ""}, {"", "nameless"}, {"x-zero", "a\x00b"}, {"x-same", "1"}, {"x-same", "2"}},
	} {
		got, ok := read(marshal(want))
		if !ok || len(got) != len(want) {
			t.Fatalf("read %q, ok %v; want %q", got, ok, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("header %d is %q, want %q", i, got[i], want[i])
			}
		}
	}
}

func TestPairsRefusesWhatIsCut(t *testing.T) {
	whole := marshal([]header{{"content-length", "12"}, {"x", "y"}})
	for n := 1; n < len(whole); n++ {
		if _, ok := read(whole[:n]); ok {
			t.Errorf("a map cut after %d of %d bytes was accepted", n, len(whole))
		}
	}
}

func TestPairsRefusesLengthsThatLie(t *testing.T) {
	for _, at := range []int{0, 4, 8} {
		b := marshal([]header{{"a", "b"}})
		binary.LittleEndian.PutUint32(b[at:], 0xFFFFFFFF)
		if headers, ok := read(b); ok {
			t.Errorf("length at %d lies: read %q", at, headers)
		}
	}
}

func FuzzPairs(f *testing.F) {
	f.Add(marshal([]header{{"content-length", "12"}}))
	f.Add([]byte{1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		headers, ok := read(b)
		if again, ok2 := read(marshal(headers)); ok && (!ok2 || len(again) != len(headers)) {
			t.Errorf("%q does not survive a round trip: %q", headers, again)
		}
	})
}
