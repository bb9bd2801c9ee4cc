package catalog

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/weirmesh/weir/xds-server/internal/automata"
)

// tables are those that were made of words and patterns, by what they were made of: to
// make a large one takes a second, and most of the sets that come one after the other
// have the same.
type tables struct {
	made, before map[[sha256.Size]byte]made // while this set was built, and the one before
}

// made is what came of entries.
type made struct {
	table []byte
	err   error
}

// turn begins another set, and forgets what the last two did not use.
func (t *tables) turn() { t.before, t.made = t.made, make(map[[sha256.Size]byte]made) }

// build is automata.Build.
func (t *tables) build(entries []automata.Entry) ([]byte, error) {
	sum := digest(entries)
	m, known := t.made[sum]
	if !known {
		m, known = t.before[sum]
	}
	if !known {
		m.table, m.err = automata.Build(entries)
	}
	t.made[sum] = m
	return m.table, m.err
}

// digest stands for entries.
func digest(entries []automata.Entry) (sum [sha256.Size]byte) {
	h := sha256.New()
	var b []byte
	text := func(s string) {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		if len(b) > 1<<16 {
			h.Write(b)
			b = b[:0]
		}
	}
	for _, e := range entries {
		b = binary.AppendUvarint(b, uint64(len(e.Words)))
		for _, word := range e.Words {
			text(word)
		}
		text(e.Pattern)
		if e.CaseSensitive {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	h.Write(b)
	return [sha256.Size]byte(h.Sum(sum[:0]))
}
