package multipart_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	mime "mime/multipart"
	"strings"
	"testing"

	"github.com/weirmesh/weir/filter/policy/multipart"
)

// heard writes down what it is told.
type heard struct {
	all   bytes.Buffer
	lines []string
	part  []byte
}

func (h *heard) Pass(raw []byte) error { h.all.Write(raw); return nil }
func (h *heard) Start() error          { h.part = []byte{}; return nil }
func (h *heard) Header(line []byte) error {
	h.lines = append(h.lines, string(line))
	return nil
}

func (h *heard) Content(raw []byte) error {
	h.all.Write(raw)
	h.part = append(h.part, raw...)
	return nil
}

func (h *heard) End() error {
	h.lines = append(h.lines, fmt.Sprintf("%q", h.part))
	return nil
}

// read reads a body in pieces of this size.
func read(body, boundary string, size int) (*heard, error) {
	var s multipart.Scanner
	h := &heard{}
	if !s.Reset([]byte(boundary)) {
		return h, errors.New("no boundary")
	}
	for rest := body; rest != ""; {
		n := min(size, len(rest))
		if err := s.Scan(bytes.Clone([]byte(rest[:n])), h); err != nil {
			return h, err
		}
		rest = rest[n:]
	}
	return h, s.Close()
}

// Where a body is refused does not depend on its pieces.
func TestOffset(t *testing.T) {
	body := []byte("--b\r\n" + strings.Repeat("x", 600))
	for _, size := range []int{1, 7, 1000} {
		var s multipart.Scanner
		s.Reset([]byte("b"))
		var err error
		for at := 0; err == nil && at < len(body); at += size {
			err = s.Scan(body[at:min(at+size, len(body))], &heard{})
		}
		if !errors.Is(err, multipart.ErrHeader) || s.Offset() != 5+multipart.MaxLine {
			t.Errorf("in pieces of %d: %v at %d", size, err, s.Offset())
		}
	}
}

func TestScanner(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       string
		err        error
	}{
		{"two parts", "--b\r\nA: 1\r\nB: 2\r\n\r\nhello\r\nworld\r\n--b\r\n\r\n\r\n--b--\r\n", `A: 1|B: 2|"hello\r\nworld"|""`, nil},
		{"no line behind it", "--b\r\n\r\nx\r\n--b--", `"x"`, nil},
		{"nearly a delimiter", "--b\r\n\r\n\r\n--a\r\r\n-\r\n--\r\n\r\n--b--", `"\r\n--a\r\r\n-\r\n--\r\n"`, nil},
		{"begins nearly so", "--b\r\n\r\n--a\r\n--b--", `"--a"`, nil},
		{"empty part", "--b\r\nA: 1\r\n\r\n--b\r\n\r\n--b--", `A: 1|""|""`, nil},
		{"preamble", "hello\r\n--b\r\n", "", multipart.ErrPreamble},
		{"epilogue", "--b\r\n\r\nx\r\n--b--\r\nhello", `"x"`, multipart.ErrEpilogue},
		{"longer boundary", "--b\r\n\r\nx\r\n--bc\r\n", `"x"`, multipart.ErrDelimiter},
		{"one dash", "--b\r\n\r\nx\r\n--b-\r\n", `"x"`, multipart.ErrDelimiter},
		{"bare LF", "--b\n\n", "", multipart.ErrDelimiter},
		{"CR alone", "--b\r\nA: 1\rB\r\n", "", multipart.ErrDelimiter},
		{"LF alone", "--b\r\nA: 1\r\n\nB\r\n", "A: 1", multipart.ErrHeader},
		{"folded", "--b\r\nA: 1\r\n 2\r\n", "A: 1", multipart.ErrHeader},
		{"long line", "--b\r\nA: " + strings.Repeat("x", 510) + "\r\n", "", multipart.ErrHeader},
		{"cut off", "--b\r\n\r\nx\r\n--", "", multipart.ErrEnd},
		{"cut off in the end", "--b\r\n\r\nx\r\n--b--\r", `"x"`, multipart.ErrEnd},
		{"nothing", "", "", multipart.ErrEnd},
	} {
		for size := 1; size <= len(c.body)+1; size++ {
			h, err := read(c.body, "b", size)
			if got := strings.Join(h.lines, "|"); got != c.want || !errors.Is(err, c.err) {
				t.Errorf("%s in pieces of %d: %s, %v; want %s, %v", c.name, size, got, err, c.want, c.err)
			}
			if err == nil && h.all.String() != c.body {
				t.Errorf("%s in pieces of %d came out as %q", c.name, size, h.all.String())
			}
		}
	}
	for _, boundary := range []string{"", strings.Repeat("b", 71), "a ", "a\rb", "é"} {
		if _, err := read("", boundary, 1); err == nil || err.Error() != "no boundary" {
			t.Errorf("boundary %q: %v", boundary, err)
		}
	}
	for e := multipart.ErrDelimiter; e <= multipart.ErrEnd; e++ {
		if e.Error() == "" {
			t.Errorf("error %d says nothing", e)
		}
	}
}

// FuzzScanner: any pieces give the same, and what is accepted has the parts that the
// standard library finds.
func FuzzScanner(f *testing.F) {
	f.Add("--b\r\nContent-Disposition: form-data; name=a\r\n\r\nhello\r\n--b--\r\n", uint8(3))
	f.Add("--b\r\n\r\n\r\n--b\r\n\r\n--b--\r\n", uint8(1))
	f.Fuzz(func(t *testing.T, body string, size uint8) {
		whole, err := read(body, "b", len(body)+1)
		pieces, other := read(body, "b", 1+int(size))
		if !errors.Is(other, err) || strings.Join(whole.lines, "\n") != strings.Join(pieces.lines, "\n") {
			t.Fatalf("%q: %q, %v; in pieces %q, %v", body, whole.lines, err, pieces.lines, other)
		}
		if err != nil {
			return
		}
		if whole.all.String() != body || pieces.all.String() != body {
			t.Fatalf("%q came out as %q", body, whole.all.String())
		}
		r, n := mime.NewReader(strings.NewReader(body), "b"), 0
		for {
			part, err := r.NextRawPart()
			if err != nil {
				break // its headers are stricter than ours
			}
			content, err := io.ReadAll(part)
			if err != nil {
				break
			}
			for n < len(whole.lines) && whole.lines[n] != fmt.Sprintf("%q", content) {
				n++
			}
			if n == len(whole.lines) {
				t.Fatalf("%q: no part %q in %q", body, content, whole.lines)
			}
			n++
		}
	})
}
