package wasmhost

import (
	"encoding/binary"
	"errors"
	"strings"
)

// Header is one header field. Names are lower-case, as Envoy stores them.
type Header struct {
	Name, Value string
}

// Headers is an ordered header map that behaves as Envoy's: the pseudo headers
// are ordinary entries, a name may stand several times.
type Headers []Header //nolint:recvcheck // it is read by value and changed by pointer, as a slice is

// Get is the first value of name, and whether there is one.
func (h Headers) Get(name string) (string, bool) {
	for _, f := range h {
		if f.Name == name {
			return f.Value, true
		}
	}
	return "", false
}

// Values are all values of name in their order.
func (h Headers) Values(name string) []string {
	var values []string
	for _, f := range h {
		if f.Name == name {
			values = append(values, f.Value)
		}
	}
	return values
}

// Clone copies the map.
func (h Headers) Clone() Headers { return append(Headers(nil), h...) }

// lower returns the map with the names that Envoy would store.
func (h Headers) lower() Headers {
	out := make(Headers, len(h))
	for i, f := range h {
		out[i] = Header{Name: strings.ToLower(f.Name), Value: f.Value}
	}
	return out
}

func (h *Headers) add(name, value string) {
	*h = append(*h, Header{Name: strings.ToLower(name), Value: value})
}

// set replaces every value of name by one, at the place of the first
// (HeaderMap::setCopy).
func (h *Headers) set(name, value string) {
	name = strings.ToLower(name)
	out, found := (*h)[:0], false
	for _, f := range *h {
		if f.Name == name {
			if found {
				continue
			}
			found, f.Value = true, value
		}
		out = append(out, f)
	}
	*h = out
	if !found {
		h.add(name, value)
	}
}

func (h *Headers) remove(name string) {
	name = strings.ToLower(name)
	out := (*h)[:0]
	for _, f := range *h {
		if f.Name != name {
			out = append(out, f)
		}
	}
	*h = out
}

// marshalPairs writes the ABI's form of a header map: the count, the lengths of
// each name and value, then both, each with a closing zero byte.
func marshalPairs(h Headers) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(h)))
	for _, f := range h {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(f.Name)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(f.Value)))
	}
	for _, f := range h {
		b = append(append(b, f.Name...), 0)
		b = append(append(b, f.Value...), 0)
	}
	return b
}

var errPairs = errors.New("header map of the guest is malformed")

// unmarshalPairs reads the ABI's form of a header map. It is as strict as
// Envoy's PairsUtil::toPairs, which answers a malformed map with an empty one;
// here it is an error, because the guest has a fault.
func unmarshalPairs(b []byte) (Headers, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) < 4 {
		return nil, errPairs
	}
	n := int(binary.LittleEndian.Uint32(b))
	sizes, rest := b[4:], b[4:]
	if n > len(b)/8 {
		return nil, errPairs
	}
	rest = rest[8*n:]
	out := make(Headers, 0, n)
	for i := range n {
		var f Header
		var ok bool
		if f.Name, rest, ok = cutTerminated(rest, binary.LittleEndian.Uint32(sizes[8*i:])); !ok {
			return nil, errPairs
		}
		if f.Value, rest, ok = cutTerminated(rest, binary.LittleEndian.Uint32(sizes[8*i+4:])); !ok {
			return nil, errPairs
		}
		out = append(out, f)
	}
	if len(rest) != 0 {
		return nil, errPairs
	}
	return out, nil
}

// cutTerminated cuts n bytes and the zero byte after them off the front of b.
func cutTerminated(b []byte, n uint32) (string, []byte, bool) {
	if uint64(n)+1 > uint64(len(b)) || b[n] != 0 {
		return "", nil, false
	}
	return string(b[:n]), b[n+1:], true
}
