package wasmhost

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

func TestBufferHasEnvoysRules(t *testing.T) {
	for _, test := range []struct {
		name          string
		start, length uint32
		data, want    string
		status        Status
	}{
		{"prepend", 0, 0, "ab", "ab0123456789", StatusOK},
		{"replace the front", 0, 4, "ab", "ab456789", StatusOK},
		{"replace all", 0, 10, "ab", "ab", StatusOK},
		{"replace more than all", 0, 99, "ab", "ab", StatusOK},
		{"drain", 0, 10, "", "", StatusOK},
		{"append at the end", 10, 0, "ab", "0123456789ab", StatusOK},
		{"append far behind", 1<<32 - 1, 0, "ab", "0123456789ab", StatusOK},
		{"in the middle", 5, 1, "ab", "0123456789", StatusBadArgument},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := &buffer{data: []byte("0123456789")}
			if status := b.replace(test.start, test.length, []byte(test.data)); status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			if string(b.data) != test.want {
				t.Errorf("buffer is %q, want %q", b.data, test.want)
			}
		})
	}
}

func TestBufferSlices(t *testing.T) {
	b := &buffer{data: []byte("0123456789")}
	for _, test := range []struct {
		start, length uint32
		want          string
		status        Status
	}{
		{0, 10, "0123456789", StatusOK}, {3, 4, "3456", StatusOK}, {8, 9, "89", StatusOK},
		{10, 1, "", StatusOK}, {11, 1, "", StatusOK}, {1, 1<<32 - 1, "", StatusBadArgument},
	} {
		got, status := b.slice(test.start, test.length)
		if string(got) != test.want || status != test.status {
			t.Errorf("slice(%d, %d) = %q, %d; want %q, %d", test.start, test.length, got, status, test.want, test.status)
		}
	}
}

func TestSharedDataHasEnvoysRules(t *testing.T) {
	s := NewSharedData()
	if _, _, status := s.Get("k"); status != StatusNotFound {
		t.Errorf("absent key: status %d", status)
	}
	if status := s.Set("k", []byte("1"), 0xFFFFFFFF); status != StatusOK {
		t.Errorf("create: status %d", status)
	}
	if status := s.Set("k", []byte("2"), 0xFFFFFFFF); status != StatusCasMismatch {
		t.Errorf("second creator: status %d, want a mismatch", status)
	}
	value, cas, _ := s.Get("k")
	if string(value) != "1" {
		t.Errorf("value %q, want that of the first creator", value)
	}
	if status := s.Set("k", []byte("3"), cas); status != StatusOK {
		t.Errorf("swap with the current version: status %d", status)
	}
	if status := s.Set("k", []byte("4"), cas); status != StatusCasMismatch {
		t.Errorf("swap with an old version: status %d, want a mismatch", status)
	}
	if status := s.Set("k", []byte("5"), 0); status != StatusOK || s.Len() != 1 {
		t.Errorf("unconditional write: status %d, %d keys", status, s.Len())
	}
}

func TestHeaderMap(t *testing.T) {
	h := Headers{{":path", "/"}, {"a", "1"}, {"b", "2"}, {"a", "3"}}
	h.set("A", "4")
	h.add("c", "5")
	h.remove("B")
	if want := (Headers{{":path", "/"}, {"a", "4"}, {"c", "5"}}); !reflect.DeepEqual(h, want) {
		t.Errorf("headers are %v, want %v", h, want)
	}
	got, err := unmarshalPairs(marshalPairs(h))
	if err != nil || !reflect.DeepEqual(got, h) {
		t.Errorf("round trip: %v, %v", got, err)
	}
}

func FuzzUnmarshalPairs(f *testing.F) {
	f.Add(marshalPairs(Headers{{"a", "1"}, {"b", ""}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := unmarshalPairs(b)
		if err == nil && len(b) > 0 && !bytes.Equal(marshalPairs(h), b) {
			t.Errorf("%x reads as %v, which is written differently", b, h)
		}
	})
}

func TestBodyIsHeldAndLetGo(t *testing.T) {
	b := body{limit: 4, stopped: true}
	step := func(p string, action Action, want string, onward, ok bool) {
		t.Helper()
		if _, fits := b.arrive([]byte(p)); !fits {
			t.Fatalf("chunk %q did not fit", p)
		}
		out, on, room := b.leave(action)
		if string(out) != want || on != onward || room != ok {
			t.Errorf("%q, action %d: out %q onward %v ok %v; want %q %v %v", p, action, out, on, room, want, onward, ok)
		}
	}
	step("ab", Pause, "", false, true)
	step("cd", Pause, "", false, true)
	step("", Continue, "abcd", true, true)
	step("ef", Continue, "ef", true, true)
	step("gone", PauseNoBuffer, "", false, true)
	step("hi", Continue, "hi", true, true)
	step("12345", Pause, "", false, false) // above the limit: 413
}

func TestUseOfAFreedBufferIsCaught(t *testing.T) {
	b := body{limit: 4}
	b.arrive([]byte("ab"))
	b.leave(PauseNoBuffer)
	if _, err := b.buffer(); !errors.Is(err, errFreedBuffer) {
		t.Errorf("error %v, want %v", err, errFreedBuffer)
	}
}
