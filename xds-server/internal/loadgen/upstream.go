package loadgen

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Upstream is an HTTP/1.1 server on a free loopback port that reads each
// request to its end and answers at once with the same bytes.
type Upstream struct {
	listener net.Listener
	answer   []byte
	mu       sync.Mutex
	open     map[net.Conn]struct{} // guarded by mu; nil once closed
	wg       sync.WaitGroup
}

// Serve starts an Upstream. answer is a whole HTTP/1.1 response; see Answer
// and Events.
func Serve(answer []byte) (*Upstream, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the upstream: %w", err)
	}
	u := &Upstream{listener: l, answer: answer, open: map[net.Conn]struct{}{}}
	u.wg.Go(u.accept)
	return u, nil
}

// Address is the host:port that it listens on.
func (u *Upstream) Address() string { return u.listener.Addr().String() }

// Close stops the server, closes what is open and waits for all to end.
func (u *Upstream) Close() error {
	err := u.listener.Close()
	u.mu.Lock()
	for c := range u.open {
		err = errors.Join(err, c.Close())
	}
	u.open = nil
	u.mu.Unlock()
	u.wg.Wait()
	return err
}

func (u *Upstream) accept() {
	for {
		c, err := u.listener.Accept()
		if err != nil {
			return
		}
		u.mu.Lock()
		if u.open == nil {
			u.mu.Unlock()
			_ = c.Close() // came in while closing
			return
		}
		u.open[c] = struct{}{}
		u.mu.Unlock()
		u.wg.Go(func() { u.serve(c) })
	}
}

func (u *Upstream) serve(c net.Conn) {
	defer func() {
		u.mu.Lock()
		if _, mine := u.open[c]; mine {
			delete(u.open, c)
			_ = c.Close() // the peer has left or spoke nonsense: nothing to report to
		}
		u.mu.Unlock()
	}()
	r := bufio.NewReaderSize(c, 64<<10)
	for {
		h, err := readHead(r)
		if err != nil || h.discardBody(r) != nil {
			return
		}
		if _, err := c.Write(u.answer); err != nil {
			return
		}
	}
}

// Answer is a JSON response for Serve.
func Answer(body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s", len(body), body)
}

// Events is a response for Serve that streams server-sent events, one HTTP
// chunk each, and ends with [DONE].
func Events(data string, n int) []byte {
	b := []byte("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
	event := "data: " + data + "\n\n"
	for range n {
		b = fmt.Appendf(b, "%x\r\n%s\r\n", len(event), event)
	}
	done := "data: [DONE]\n\n"
	return fmt.Appendf(b, "%x\r\n%s\r\n0\r\n\r\n", len(done), done)
}
