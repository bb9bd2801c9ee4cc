package engine

// bodyHeaders say something about the bytes of a whole body, or offer a part of it. From
// firstDigest on they are in requests too, up to the last that is a digest (RFC 9530, RFC
// 3230, RFC 1864).
var bodyHeaders = [...]string{"content-length", "etag", "accept-ranges", "content-range", "digest", "content-digest", "repr-digest", "content-md5"}

const firstDigest = 4

// described is a set of bodyHeaders, by index.
type described uint8

// note remembers that the body has a header, if it is one of bodyHeaders.
//
//go:noinline
func (d *described) note(name string) {
	for i := range bodyHeaders {
		if bodyHeaders[i] == name {
			*d |= 1 << i
		}
	}
}

// removeFrom removes the headers from the given one on, which will not be true of the
// body any more.
//
//go:noinline
func (d *described) removeFrom(e *edits, first int) {
	for i := first; i < len(bodyHeaders); i++ {
		if *d>>i&1 != 0 {
			e.remove(bodyHeaders[i])
		}
	}
	*d = 0
}
