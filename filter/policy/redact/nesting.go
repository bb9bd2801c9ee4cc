package redact

import (
	"math/bits"

	"github.com/weirmesh/weir/filter/policy/jsonscan"
)

// nesting follows a text for how deep in JSON within JSON strings its end stands. What
// begins as an object or a list is JSON, and the strings in it are one deeper; how many
// backslashes stand before a quote says how deep the string is that it opens or closes.
type nesting struct {
	base    uint8 // how often the text is escaped
	level   uint8 // likewise, what stands at its end
	slashes uint8 // backslashes there
	begun   bool  // not only white space was read of what stands on that level
	json    bool  // that is JSON
}

// deepest bounds the level: a quote has 31 backslashes there.
const deepest = 5

func (n *nesting) reset(base uint8) { *n = nesting{base: base, level: base} }

// read goes on over p.
func (n *nesting) read(p []byte) {
	for _, c := range p {
		switch {
		case c == '\\':
			n.slashes = min(n.slashes+1, 1<<deepest-1)
			continue
		case !n.begun && c != '"':
			space := c == ' ' || c == '\n' || c == '\r' || c == '\t' || n.slashes == 1 && (c == 'n' || c == 'r' || c == 't')
			n.begun, n.json = !space, c == '{' || c == '['
		case c == '"':
			if level := min(uint8(bits.Len8(n.slashes+1)), deepest); level <= n.level || n.json {
				n.level, n.begun = level, false
			}
		}
		n.slashes = 0
	}
}

// pass lets text out that is none of a token.
//
//go:noinline
func (r *Restorer) pass(p []byte) error {
	if len(p) > 0 && !r.of.vault.plain {
		r.nesting.read(p)
	}
	return r.write(p)
}

// write lets out what there is.
//
//go:noinline
func (r *Restorer) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	return r.out.Write(p)
}

// backslashes are as many as a quote has in the deepest level.
const backslashes = `\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\`

// restore lets a value out, with the escapes (RFC 8259, section 7) of each level.
//
//go:noinline
func (r *Restorer) restore(value []byte) error {
	from := 0
	for i := 0; i < len(value) && !r.of.vault.plain && r.level > 0; i++ {
		c := value[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		more := 1<<(r.level-1) - 1 // backslashes that escape that of the level before
		if c >= ' ' {
			more *= 2 // and the character, too
		}
		escape := jsonscan.AppendEscaped(append(r.of.keys.text[:0], backslashes[:more]...), value[i:i+1])
		err := r.write(value[from:i])
		if err == nil {
			err = r.write(escape)
		}
		if err != nil {
			return err
		}
		from = i + 1
	}
	return r.write(value[from:])
}
