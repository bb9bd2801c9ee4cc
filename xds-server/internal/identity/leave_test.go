package identity

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// sink is a connection that keeps what is written to it.
type sink struct {
	net.Conn
	written bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) { return s.written.Write(p) }

// FuzzLeave sends a client away after any byte of any frames, cut in any pieces:
// it must read every frame as it was, and one GOAWAY where it may stand.
func FuzzLeave(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5}, uint16(0), uint8(1))
	f.Add([]byte{3, 3, 0, 2}, uint16(9), uint8(7))
	f.Add([]byte{2, 2, 2}, uint16(20), uint8(255))
	f.Add([]byte{4, 4, 1}, uint16(5), uint8(3))
	f.Fuzz(func(t *testing.T, kinds []byte, at uint16, piece uint8) {
		sent := framesOf(t, kinds[:min(len(kinds), 64)])
		s := &sink{}
		c := &leavingConn{Conn: s}
		step := int(piece) + 1
		left := false
		for from := 0; from < len(sent); from += step {
			if !left && from >= int(at) {
				left = true
				c.leave()
			}
			if _, err := c.Write(sent[from:min(from+step, len(sent))]); err != nil {
				t.Fatal(err)
			}
		}
		c.leave()
		c.leave()
		got, goAways := readFrames(t, s.written.Bytes())
		if goAways != 1 || !bytes.Equal(got, sent) {
			t.Fatalf("%d GOAWAYs; the other frames are\n%x, want\n%x", goAways, got, sent)
		}
	})
}

// framesOf writes what a server may say: a frame, or headers in two, for each kind.
func framesOf(t *testing.T, kinds []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := http2.NewFramer(&b, nil)
	for i, kind := range kinds {
		stream := uint32(2*i + 1)
		var err error
		switch kind % 5 {
		case 0:
			err = w.WriteSettings()
		case 1:
			err = w.WriteData(stream, false, bytes.Repeat([]byte{kind}, int(kind)))
		case 2:
			err = w.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x88}, EndHeaders: true})
		case 3:
			err = errors.Join(
				w.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x88}, EndStream: true}),
				w.WriteContinuation(stream, true, []byte{0x88}))
		case 4:
			err = w.WritePing(true, [8]byte{typeHeaders})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// readFrames takes the GOAWAYs out. The framer refuses one inside of headers.
func readFrames(t *testing.T, stream []byte) (others []byte, goAways int) {
	t.Helper()
	r := http2.NewFramer(io.Discard, bytes.NewReader(stream))
	for at := 0; ; {
		frame, err := r.ReadFrame()
		if errors.Is(err, io.EOF) {
			return others, goAways
		}
		if err != nil {
			t.Fatalf("after %d bytes: %v", at, err)
		}
		end := at + frameHeader + int(frame.Header().Length)
		if away, ok := frame.(*http2.GoAwayFrame); !ok {
			others = append(others, stream[at:end]...)
		} else if goAways++; away.ErrCode != http2.ErrCodeNo || away.LastStreamID != 1<<31-1 {
			t.Fatalf("GOAWAY = %v", away)
		}
		at = end
	}
}

// TestLeaveOnABrokenConnection must not block nor panic.
func TestLeaveOnABrokenConnection(t *testing.T) {
	server, client := net.Pipe()
	if err := errors.Join(client.Close(), server.Close()); err != nil {
		t.Fatal(err)
	}
	c := &leavingConn{Conn: server}
	c.leave()
	if _, err := c.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}); err == nil {
		t.Fatal("a write to a closed connection succeeded")
	}
}

func TestRenewal(t *testing.T) {
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	leaf := &x509.Certificate{NotBefore: begin, NotAfter: begin.Add(time.Hour)}
	for _, c := range []struct{ age, want time.Duration }{
		{0, 54 * time.Minute},
		{30 * time.Minute, 54 * time.Minute},
		{53 * time.Minute, 54 * time.Minute},
		{54 * time.Minute, time.Hour}, // it came back with the same SVID
		{59 * time.Minute, time.Hour},
		{2 * time.Hour, time.Hour},
	} {
		if got := renewal(leaf, begin.Add(c.age)); !got.Equal(begin.Add(c.want)) {
			t.Errorf("connected at the age of %s: to renew after %s, want %s", c.age, got.Sub(begin), c.want)
		}
	}
}
