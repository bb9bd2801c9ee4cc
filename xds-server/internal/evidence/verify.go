package evidence

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/weirmesh/weir/filter/policy/evidence"
)

// Verdict says what a record is worth.
type Verdict string

// Verdicts.
const (
	Sealed    Verdict = "sealed"    // its code is right, and it follows what came before
	Unsealed  Verdict = "unsealed"  // it follows, but no key sealed it: the worker had none yet
	Broken    Verdict = "broken"    // its code is right, but what it follows is not what came before
	Repeated  Verdict = "repeated"  // its code is right, but its number came before
	Forged    Verdict = "forged"    // its code is wrong, or of a key that is unknown or too old
	Malformed Verdict = "malformed" // it is no record
	Absent    Verdict = "absent"    // Envoy answered a request of which there is no record
)

// Verdicts returns all verdicts.
func Verdicts() []Verdict {
	return []Verdict{Sealed, Unsealed, Broken, Repeated, Forged, Malformed, Absent}
}

// Good says whether nothing is wrong with a record of this verdict.
func (v Verdict) Good() bool { return v == Sealed || v == Unsealed }

// Finding is what a Verifier says of a record.
type Finding struct {
	Verdict Verdict
	Missing uint64 // records before it that never came
	Begins  bool   // it is the first of its chain
	Link    evidence.Link
}

// maxChains bounds the chains that a Verifier follows: those of which nothing was heard
// for longest are forgotten.
const maxChains = 16384

// chainID names a chain. Epochs are random, but an Envoy might choose another's.
type chainID struct {
	envoy string
	epoch uint64
}

// chain is how far a chain has come.
type chain struct {
	head  evidence.Head
	key   uint32
	heard uint64 // order in which chains were heard of
}

// Verifier follows chains. It is not safe for concurrent use.
type Verifier struct {
	key    func(envoy string, number uint32) []byte
	chains map[chainID]*chain
	turn   uint64
}

// NewVerifier returns a verifier that has seen nothing. key returns the key of an Envoy
// by its number, nil if there is none.
func NewVerifier(key func(envoy string, number uint32) []byte) *Verifier {
	return &Verifier{key: key, chains: map[chainID]*chain{}}
}

// Take checks the next record that came from an Envoy. A record whose code is wrong says
// nothing of its chain: it is as if it had not come.
func (v *Verifier) Take(envoy string, record []byte) Finding {
	link, covered, err := evidence.Read(record)
	if err != nil {
		return Finding{Verdict: Malformed}
	}
	f := Finding{Link: link}
	var key []byte
	if link.Key != evidence.NoKey {
		key = v.key(envoy, link.Key)
	}
	known := v.chains[chainID{envoy, link.Epoch}]
	downgraded := known != nil && link.Key < known.key
	if (key == nil) != (link.Key == evidence.NoKey) || evidence.CodeOf(key, covered) != link.Code {
		f.Verdict = Forged
		return f
	}
	if known != nil && link.Seq <= known.head.Seq {
		f.Verdict = Repeated
		return f
	}
	if downgraded {
		f.Verdict = Forged
		return f
	}
	if known == nil {
		known = &chain{head: evidence.Head{Epoch: link.Epoch}}
		v.follow(chainID{envoy, link.Epoch}, known)
		f.Begins = true
	}
	f.Verdict = Sealed
	if link.Key == evidence.NoKey {
		f.Verdict = Unsealed
	}
	f.Missing = link.Seq - known.head.Seq - 1
	if f.Missing == 0 && link.Prev != known.head.Code {
		f.Verdict = Broken
	}
	v.turn++
	known.head, known.key, known.heard = evidence.Head{Epoch: link.Epoch, Seq: link.Seq, Code: link.Code}, link.Key, v.turn
	return f
}

// follow adds a chain, in place of the one that was not heard of for longest if there
// are too many.
func (v *Verifier) follow(id chainID, c *chain) {
	if len(v.chains) >= maxChains {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(v.chains)), func(a, b chainID) int {
			return cmp.Compare(v.chains[a].heard, v.chains[b].heard)
		})
		delete(v.chains, oldest)
	}
	v.chains[id] = c
}

// Seq returns the number of the last record of a chain, 0 if there is none.
func (v *Verifier) Seq(envoy string, epoch uint64) uint64 {
	if c := v.chains[chainID{envoy, epoch}]; c != nil {
		return c.head.Seq
	}
	return 0
}

// Head is how far a chain has come, as files write it.
type Head struct {
	Envoy string `json:"envoy"`
	Epoch string `json:"epoch"` // 16 hexadecimal digits
	Seq   uint64 `json:"seq"`
	Key   uint32 `json:"key"`
	Code  string `json:"mac"` // 32 hexadecimal digits
}

// Heads returns how far all chains have come, those last that were heard of last.
func (v *Verifier) Heads() []Head {
	ids := slices.SortedFunc(maps.Keys(v.chains), func(a, b chainID) int { return cmp.Compare(v.chains[a].heard, v.chains[b].heard) })
	heads := make([]Head, 0, len(ids))
	for _, id := range ids {
		c := v.chains[id]
		heads = append(heads, Head{
			Envoy: id.envoy, Epoch: fmt.Sprintf("%016x", id.epoch), Seq: c.head.Seq, Key: c.key, Code: hex.EncodeToString(c.head.Code[:]),
		})
	}
	return heads
}

// Resume goes on where another verifier was. Of a chain that is known already, what is
// known counts: it is an error if that is something else.
func (v *Verifier) Resume(heads []Head) error {
	for _, h := range heads {
		epoch, err := strconv.ParseUint(h.Epoch, 16, 64)
		if err != nil {
			return fmt.Errorf("the head of a chain of %s: %w", h.Envoy, err)
		}
		code, err := hex.DecodeString(h.Code)
		if err != nil || len(code) != evidence.CodeSize {
			return fmt.Errorf("the head of the chain %s of %s: its mac %q is none", h.Epoch, h.Envoy, h.Code)
		}
		head := evidence.Head{Epoch: epoch, Seq: h.Seq, Code: evidence.Code(code)}
		id := chainID{h.Envoy, epoch}
		if known := v.chains[id]; known != nil {
			if known.head != head {
				return fmt.Errorf("the chain %s of %s had come to record %d, and goes on from %d", h.Epoch, h.Envoy, known.head.Seq, h.Seq)
			}
			continue
		}
		v.turn++
		v.follow(id, &chain{head: head, key: h.Key, heard: v.turn})
	}
	return nil
}
