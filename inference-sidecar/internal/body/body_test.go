package body_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/weirmesh/weir/inference-sidecar/internal/body"
)

func TestRead(t *testing.T) {
	for _, size := range []int{0, 1, 63, 4095, 4096, 4097, 100_000} {
		want := bytes.Repeat([]byte("x"), size)
		for _, length := range []int64{-1, int64(size)} {
			for name, wrap := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "data with EOF": iotest.DataErrReader} {
				room := body.NewRoom(100_000, 300_000)
				got, release, err := room.Read(wrap(bytes.NewReader(want)), length, 1<<30)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes, length %d, %s: got %d bytes, %v", size, length, name, len(got), err)
					continue
				}
				release()
				release()
			}
		}
	}
}

func TestReadRefusesTheTooLarge(t *testing.T) {
	room := body.NewRoom(1000, 5000)
	for _, c := range []struct{ size, length, limit int64 }{{1001, -1, 1 << 30}, {1001, 1001, 1 << 30}, {11, -1, 10}, {11, 11, 10}, {11, 10, 10}, {1, 0, 0}} {
		_, _, err := room.Read(strings.NewReader(strings.Repeat("x", int(c.size))), c.length, c.limit)
		var large *body.TooLargeError
		if !errors.As(err, &large) || large.Limit != min(c.limit, 1000) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestRoomIsBoundedAndComesBack(t *testing.T) {
	room := body.NewRoom(100, 150)
	read := func(r io.Reader, length int64) (func(), error) {
		_, release, err := room.Read(r, length, 100)
		return release, err
	}
	release, err := read(strings.NewReader(strings.Repeat("x", 100)), 100)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(strings.NewReader(strings.Repeat("x", 60)), 60); !errors.Is(err, body.ErrBusy) {
		t.Errorf("60 bytes where 50 are left: %v", err)
	}
	broken := errors.New("broken")
	for range 10 {
		if _, err := read(iotest.ErrReader(broken), 50); !errors.Is(err, broken) {
			t.Errorf("a broken body: %v", err)
		}
	}
	second, err := read(strings.NewReader(strings.Repeat("x", 50)), 50)
	if err != nil {
		t.Fatalf("failed reads kept their room: %v", err)
	}
	release()
	second()
	for range 3 {
		release, err := read(strings.NewReader(strings.Repeat("x", 100)), 100)
		if err != nil {
			t.Fatalf("after release: %v", err)
		}
		release()
	}
}
