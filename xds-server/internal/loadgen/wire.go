package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// conn is one HTTP/1.1 connection with no request in flight between exchanges.
type conn struct {
	nc      net.Conn
	r       *bufio.Reader
	timeout time.Duration
	answers int
	made    []byte // the last request that Options.Make made
}

// dial connects. The end of the run does not interrupt it: what has begun is
// done to its end, so that no server is blamed for it.
func dial(ctx context.Context, o Options) (*conn, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.Timeout)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", o.Address, err)
	}
	if o.TLS != nil {
		secure := tls.Client(nc, o.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("TLS handshake with %s: %w", o.Address, err), nc.Close())
		}
		nc = secure
	}
	return &conn{nc: nc, r: bufio.NewReaderSize(nc, 32<<10), timeout: o.Timeout}, nil
}

func (c *conn) close() {
	if c != nil {
		_ = c.nc.Close() // nothing is in flight that a failed close could lose
	}
}

// answered is what a request was answered with.
type answered struct {
	status int
	keep   bool   // the server will not close the connection
	text   string // the start of the body, if the status is not the one that was wanted
}

// maxText bounds answered.text, in bytes.
const maxText = 512

// exchange sends one request and reads its whole answer. want is the status
// whose body nobody needs; 0 stands for all.
func (c *conn) exchange(request []byte, want int) (answered, error) {
	if err := c.nc.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return answered{}, fmt.Errorf("set deadline: %w", err)
	}
	if _, err := c.nc.Write(request); err != nil {
		return answered{}, fmt.Errorf("send request: %w", err)
	}
	m, err := readHead(c.r)
	if err != nil {
		return answered{}, err
	}
	if len(m.start) < 12 || !bytes.HasPrefix(m.start, []byte("HTTP/1.")) {
		return answered{}, fmt.Errorf("status line %q", m.start)
	}
	status, err := strconv.Atoi(string(m.start[9:12]))
	if err != nil {
		return answered{}, fmt.Errorf("status line %q: %w", m.start, err)
	}
	if want == 0 || status == want {
		return answered{status: status, keep: !m.close}, m.copyBody(io.Discard, c.r)
	}
	var body bytes.Buffer
	err = m.copyBody(&body, c.r)
	return answered{status: status, keep: !m.close, text: string(body.Next(maxText))}, err
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

// copyBody moves the body from r to w. A message with neither length nor
// chunking has none: the load never speaks to servers that end a body by
// closing.
func (h *head) copyBody(w io.Writer, r *bufio.Reader) error {
	if !h.chunked {
		if h.length <= 0 {
			return nil
		}
		_, err := io.CopyN(w, r, h.length)
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
		if _, err := io.CopyN(w, r, n); err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}
		if _, err := r.Discard(len("\r\n")); err != nil {
			return fmt.Errorf("read end of chunk: %w", err)
		}
		if n == 0 {
			return nil
		}
	}
}
