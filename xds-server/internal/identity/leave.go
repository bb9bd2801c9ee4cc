package identity

import (
	"encoding/binary"
	"net"
	"sync"
)

// leavingConn is the server's end of an HTTP/2 connection from which the client
// can be sent away. grpc-go says GOAWAY to all of its connections or to those of
// one age, but not to the one whose SVID comes to its end: so the frame is put
// in between its own, where a frame may stand.
type leavingConn struct {
	net.Conn

	mu     sync.Mutex // guards what follows, and the order of writes
	frames frameReader
	said   bool // GOAWAY is on its way, or waits for the end of a frame
	owed   bool
}

// leave says GOAWAY, once. The streams of the connection go on (RFC 9113,
// section 6.8: the last stream is the highest that can be); a client that keeps
// to the protocol opens no other, and closes the connection after its last.
func (c *leavingConn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.said {
		return
	}
	c.said, c.owed = true, true
	if c.frames.between() {
		_ = c.settle() // a broken connection needs no GOAWAY
	}
}

// Write writes what grpc-go says, in which frames may be cut anywhere.
func (c *leavingConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	written := 0
	for written < len(p) {
		piece := p[written:]
		if c.owed {
			piece = piece[:c.frames.rest(piece)]
		}
		n, err := c.Conn.Write(piece)
		c.frames.read(piece[:n])
		written += n
		if err != nil {
			return written, err
		}
		if c.owed && c.frames.between() {
			if err := c.settle(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

func (c *leavingConn) settle() error {
	c.owed = false
	_, err := c.Conn.Write(goAway)
	return err
}

// Parts of HTTP/2 frames (RFC 9113, sections 4.1, 6.2, 6.8 and 6.10).
const (
	frameHeader   = 9 // bytes
	typeHeaders   = 0x1
	typeGoAway    = 0x7
	typeContinued = 0x9
	endHeaders    = 0x4
)

// goAway is a frame of 8 bytes: the highest stream there can be, and no error.
var goAway = []byte{0, 0, 8, typeGoAway, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0}

// frameReader follows frames, as a server sends them, over any cuts.
type frameReader struct {
	header  [frameHeader]byte
	have    int  // bytes of the header
	payload int  // bytes of the payload that are to come
	block   bool // headers go on in the next frame, and nothing may come between
}

// between reports whether another frame may stand here.
func (f *frameReader) between() bool { return f.have == 0 && f.payload == 0 && !f.block }

// rest is how many bytes of p, which is not empty, to write until it is worth
// asking again whether another frame may stand there.
func (f *frameReader) rest(p []byte) int {
	if f.payload > 0 {
		return min(len(p), f.payload)
	}
	return min(len(p), frameHeader-f.have)
}

func (f *frameReader) read(p []byte) {
	for len(p) > 0 {
		n := f.rest(p)
		if f.payload > 0 {
			f.payload -= n
		} else {
			f.have += copy(f.header[f.have:], p[:n])
		}
		p = p[n:]
		if f.have == frameHeader {
			f.begin()
		}
	}
}

// begin takes a header that is complete.
func (f *frameReader) begin() {
	f.have = 0
	f.payload = int(binary.BigEndian.Uint32(f.header[:4]) >> 8)
	if kind := f.header[3]; kind == typeHeaders || kind == typeContinued {
		f.block = f.header[4]&endHeaders == 0
	}
}
