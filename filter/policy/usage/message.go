package usage

import (
	"math"

	"github.com/weirmesh/weir/filter/policy/oip"
)

// frames is a Scanner as the sink of the scanner of gRPC messages: the numbers stand
// in the parameters, the text in the tensors of type BYTES.
type frames Scanner

// Start is part of oip.Sink, like the methods below.
func (m *frames) Start(f oip.Field) {
	if m.values.counting = f == oip.Text; m.values.counting {
		m.values.estimate.StringStart()
	}
}

// Bytes counts text.
func (m *frames) Bytes(p []byte) {
	if m.values.counting {
		m.values.estimate.Bytes(p)
	}
}

// End ends a text.
func (m *frames) End() error { return m.values.StringEnd() }

// Parameter takes a number of usage.
func (m *frames) Parameter(name []byte, v *oip.Value) error {
	what := memberOf(name)
	if what == other || what >= counts {
		return nil
	}
	if n, ok := wholeNumber(v); ok {
		m.values.take(what, n)
	}
	return nil
}

// wholeNumber is a parameter's value as a number of tokens.
func wholeNumber(v *oip.Value) (int64, bool) {
	switch v.Kind {
	case oip.Int, oip.Uint:
		return int64(min(v.Bits, most)), v.Kind == oip.Uint || int64(v.Bits) >= 0
	case oip.Double:
		d := math.Float64frombits(v.Bits)
		return int64(min(max(d, 0), most)), d >= 0
	case oip.String:
		var n int64
		for _, c := range v.Text {
			if c-'0' > 9 {
				return 0, false
			}
			n = min(n*10+int64(c-'0'), most)
		}
		return n, len(v.Text) > 0
	}
	return 0, false
}
