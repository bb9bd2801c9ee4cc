package redact

import (
	"encoding/binary"

	"github.com/weirmesh/weir/filter/policy/sha256"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// maxDigests is how many values of a request are known by digest.
const maxDigests = 16

// Session is what is known of the values of one request and its answer. It is of fixed
// size but for the vault, kept with the stream and used again by Reset. No value is in
// it but in the vault.
type Session struct {
	keys    *Keys // nil: modes that need a key tag
	counts  [2][Kinds]uint32
	mode    [2][Kinds]spec.RedactionMode
	digests [maxDigests]Digest
	known   int  // digests
	digest  bool // they are wanted
	blocked bool
	vault   *vault // nil: no token was made
}

// Digest stands for a value that was found: it is the same for the same value and kind
// under one key, and says nothing about it without the key.
type Digest struct {
	Kind      spec.EntityKind
	Direction spec.Direction
	Sum       [8]byte
}

// Number returns the digest as a number.
func (d *Digest) Number() uint64 { return binary.BigEndian.Uint64(d.Sum[:]) }

// Reset forgets the last request and begins one, whose values are to be known by digest
// if digests says so. The keys must live as long as the request.
func (s *Session) Reset(keys *Keys, digests bool) {
	s.Release()
	s.keys, s.digest, s.known, s.blocked = keys, digests && keys != nil, 0, false
	s.counts = [2][Kinds]uint32{}
}

// Release forgets all values, and gives the vault back.
func (s *Session) Release() {
	if v := s.vault; v != nil {
		v.reset()
		v.next = s.keys.free
		s.keys.free, s.vault = v, nil
	}
}

// Count returns how many values of a kind were found in a direction.
func (s *Session) Count(d spec.Direction, kind spec.EntityKind) uint32 {
	return s.counts[way(d)][kind]
}

// Mode returns what was done with values of a kind that were found in a direction.
func (s *Session) Mode(d spec.Direction, kind spec.EntityKind) spec.RedactionMode {
	return s.mode[way(d)][kind]
}

// Digests returns the first values, each once. They are valid until Reset.
func (s *Session) Digests() []Digest { return s.digests[:s.known] }

// Blocked says whether a value was found that must not pass at all.
func (s *Session) Blocked() bool { return s.blocked }

// HasTokens says whether there are values to be restored in the answer.
func (s *Session) HasTokens() bool { return s.vault != nil && s.vault.n > 0 }

// way is the index of a direction.
func way(d spec.Direction) int { return int(d>>1) & 1 }

// found takes in a match that is treated in a mode.
func (s *Session) found(d spec.Direction, kind spec.EntityKind, mode spec.RedactionMode) {
	i := way(d)
	s.counts[i][kind]++
	s.mode[i][kind] = mode
	s.blocked = s.blocked || mode == spec.RedactBlock
}

// wantsDigest says whether the next value is to be known by its digest.
func (s *Session) wantsDigest() bool { return s.digest && s.known < maxDigests }

// know keeps the digest of a value.
func (s *Session) know(rules *Rules, kind spec.EntityKind, sum *[sha256.Size]byte) {
	d := Digest{Kind: kind, Direction: rules.direction}
	copy(d.Sum[:], sum[8:])
	for _, other := range s.digests[:s.known] {
		if other == d {
			return
		}
	}
	s.digests[s.known] = d
	s.known++
}
