package serve

import (
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/weirmesh/weir/inference-sidecar/internal/body"
)

// ErrEncoded is matched by errors of ReadBody about a content-encoding that this server does not know.
var ErrEncoded = errors.New("unknown content-encoding")

// ReadBody reads the body of r, decompressed, at most limit bytes and what the server allows. The caller calls release,
// once, when it needs the bytes no more.
func (h *House) ReadBody(r *http.Request, limit int64) (b []byte, release func(), err error) {
	content, length, err := plain(r)
	if err != nil {
		return nil, nil, err
	}
	b, release, err = h.Room.Read(content, length, limit)
	var large *body.TooLargeError
	if err != nil && !errors.As(err, &large) && !errors.Is(err, body.ErrBusy) {
		return nil, nil, BadRequest(err) // the client sent less than it said or what is not compressed, or left
	}
	return b, release, err
}

// plain returns the body of r as it was before it was compressed (RFC 9110, section 8.4.1), and its length, or -1.
func plain(r *http.Request) (io.Reader, int64, error) {
	switch encoding := r.Header.Get("Content-Encoding"); strings.ToLower(encoding) {
	case "", "identity":
		return r.Body, r.ContentLength, nil
	case "gzip", "x-gzip":
		return decompress("gzip", r.Body, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) })
	case "deflate":
		return decompress("deflate", r.Body, func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) })
	default:
		return nil, 0, fmt.Errorf("%w %q: it is gzip, deflate or none", ErrEncoded, encoding)
	}
}

func decompress(name string, compressed io.Reader, open func(io.Reader) (io.Reader, error)) (io.Reader, int64, error) {
	content, err := open(compressed)
	if err != nil {
		return nil, 0, BadRequest(fmt.Errorf("the request body is not %s: %w", name, err))
	}
	return content, -1, nil
}
