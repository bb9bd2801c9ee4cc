package dryrun

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/weirmesh/weir/filter/wasmhost"
)

// Request is a sample HTTP request, as a person writes it into a file.
type Request struct {
	Method  string
	Path    string
	Headers []wasmhost.Header // names in lower case
	Body    []byte
}

// ParseRequest reads a request in the form of HTTP/1.1, with line ends of either
// kind:
//
//	POST /v1/embeddings
//	x-tenant-id: acme
//
//	{"model": "minilm", "input": "hello"}
//
// The protocol version may be left out, and content-length, which is then added.
func ParseRequest(data []byte) (*Request, error) {
	head, body := cutHead(data)
	lines := strings.Split(strings.ReplaceAll(head, "\r\n", "\n"), "\n")
	request, err := parseRequestLine(lines[0])
	if err != nil {
		return nil, err
	}
	for i, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		name = strings.ToLower(name)
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("line %d: %q is not a header: write name: value, and an empty line before the body", i+2, line)
		}
		request.Headers = append(request.Headers, wasmhost.Header{Name: name, Value: strings.TrimSpace(value)})
	}
	request.Body = body
	return request, request.fixLength()
}

// cutHead cuts the message at its first empty line.
func cutHead(data []byte) (head string, body []byte) {
	for _, gap := range []string{"\r\n\r\n", "\n\n"} {
		if before, after, found := bytes.Cut(data, []byte(gap)); found {
			return string(before), after
		}
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

func parseRequestLine(line string) (*Request, error) {
	fields := strings.Fields(line)
	if len(fields) == 3 && strings.HasPrefix(fields[2], "HTTP/") {
		fields = fields[:2]
	}
	if len(fields) != 2 || !strings.HasPrefix(fields[1], "/") {
		return nil, fmt.Errorf("line 1: %q is not a request line such as POST /v1/embeddings", line)
	}
	return &Request{Method: fields[0], Path: fields[1]}, nil
}

// fixLength makes content-length say what the body has.
func (r *Request) fixLength() error {
	actual := strconv.Itoa(len(r.Body))
	for _, h := range r.Headers {
		switch {
		case h.Name == "transfer-encoding":
			return errors.New("transfer-encoding is not read here: write the body as it is, without it")
		case h.Name == "content-length" && h.Value != actual:
			return fmt.Errorf("content-length says %s, but the body has %s bytes: remove the header", h.Value, actual)
		case h.Name == "content-length":
			return nil
		}
	}
	if len(r.Body) > 0 {
		r.Headers = append(r.Headers, wasmhost.Header{Name: "content-length", Value: actual})
	}
	return nil
}
