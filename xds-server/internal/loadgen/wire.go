package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// conn is one HTTP/1.1 connection with no request in flight between exchanges.
type conn struct {
	nc net.Conn
	r  *bufio.Reader
}

func dial(ctx context.Context, address string) (*conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return &conn{nc: nc, r: bufio.NewReaderSize(nc, 32<<10)}, nil
}

func (c *conn) close() {
	if c != nil {
		_ = c.nc.Close() // nothing is in flight that a failed close could lose
	}
}

// exchange sends one request and reads its whole answer. keep is false when
// the server will close the connection.
func (c *conn) exchange(request []byte) (status int, keep bool, err error) {
	if _, err := c.nc.Write(request); err != nil {
		return 0, false, fmt.Errorf("send request: %w", err)
	}
	m, err := readHead(c.r)
	if err != nil {
		return 0, false, err
	}
	if len(m.start) < 12 || !bytes.HasPrefix(m.start, []byte("HTTP/1.")) {
		return 0, false, fmt.Errorf("status line %q", m.start)
	}
	status, err = strconv.Atoi(string(m.start[9:12]))
	if err != nil {
		return 0, false, fmt.Errorf("status line %q: %w", m.start, err)
	}
	if err := m.discardBody(c.r); err != nil {
		return 0, false, err
	}
	return status, !m.close, nil
}

// head is what framing needs of a message's start line and header section
// (RFC 9112, sections 2 to 6).
type head struct {
	start   []byte
	length  int64 // -1: none given
	chunked bool
	close   bool
}

func readHead(r *bufio.Reader) (head, error) {
	h := head{length: -1}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return h, fmt.Errorf("read message head: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case h.start == nil:
			h.start = append([]byte(nil), line...)
		case len(line) == 0:
			return h, nil
		default:
			if err := h.field(line); err != nil {
				return h, err
			}
		}
	}
}

func (h *head) field(line []byte) error {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return fmt.Errorf("header line %q", line)
	}
	value = bytes.TrimSpace(value)
	switch {
	case bytes.EqualFold(name, []byte("content-length")):
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return fmt.Errorf("content-length: %w", err)
		}
		h.length = n
	case bytes.EqualFold(name, []byte("transfer-encoding")):
		h.chunked = bytes.EqualFold(value, []byte("chunked"))
	case bytes.EqualFold(name, []byte("connection")):
		h.close = bytes.EqualFold(value, []byte("close"))
	}
	return nil
}

// discardBody reads the body off r. A message with neither length nor
// chunking has none: the load never speaks to servers that end a body by
// closing.
func (h *head) discardBody(r *bufio.Reader) error {
	if !h.chunked {
		if h.length <= 0 {
			return nil
		}
		_, err := io.CopyN(io.Discard, r, h.length)
		return err
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read chunk size: %w", err)
		}
		size, _, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(";"))
		n, err := strconv.ParseInt(string(size), 16, 64)
		if err != nil || n < 0 {
			return errors.New("chunk size is not a number")
		}
		if _, err := io.CopyN(io.Discard, r, n+2); err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}
		if n == 0 {
			return nil
		}
	}
}
