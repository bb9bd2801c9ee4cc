package redact

import (
	"sync/atomic"

	"github.com/weirmesh/weir/filter/policy/automaton"
)

// Bounds of what a sweeper knows at one time.
const (
	maxSets    = 256
	maxMembers = 4096
	maxSteps   = 2048 // a power of two
	maxAge     = 128  // characters; no match has as many
)

// A sweep begins where attempts at a match took so many steps for nothing. For as many none
// begins behind one that ended because the sets did not fit.
const (
	sweepFree  = 8 // steps that an attempt has for nothing
	sweepDebt  = 64
	sweepPause = 8192
)

// charWord is malformed, and goes on with a word all the same, as custom.pass has it.
const charWord rune = -3

// attempt is a match that may have begun: the state that it has come to in bits 0 to 23,
// how many characters ago it began in bits 24 to 30, and in bit 31 whether within a word.
type attempt uint32

const midWord attempt = 1 << 31

// sweeper follows all attempts at a custom match at once, a step for each character,
// where one after the other would read the same text up to 64 times. Attempts that are
// under way together are a set, which has a number from when it first occurs; the step
// from a set by a character is kept. It finds where attempts may have come to a match, and
// leaves to customRules.match what that is.
type sweeper struct {
	busy atomic.Bool // rules may be shared; who finds it busy does without
	sets int
	// first is where the attempts of a set begin in member, the oldest first; those of
	// the next set follow.
	first  [maxSets + 1]uint16
	word   [maxSets]bool // a word goes on
	hit    [maxSets]bool // an attempt has come to a match
	member [maxMembers]attempt
	known  [2 * maxSets]uint16 // by hash: one more than a set
	step   [maxSteps]sweepStep
	begun  [maxAge]int    // where the last characters begin in the text
	within [maxAge]uint16 // the sets before them
}

// sweepStep leads from a set by a character to the next set.
type sweepStep struct {
	from uint32 // the set and the character, and one more
	to   uint16
}

// forget leaves the two sets without attempts: set 0, and set 1 in a word.
func (s *sweeper) forget() {
	clear(s.known[:])
	clear(s.step[:])
	s.sets, s.first[1], s.first[2] = 2, 0, 0
	s.word[1] = true
}

// sweep returns the offset, from i on, before which no match begins in src, and
// with it c.word. It is at an attempt that comes to a match or is under way where src
// ends, or where the sets do not fit.
func (c *custom) sweep(rules *customRules, src []byte, i int) int {
	s := rules.sweeper
	if !s.busy.CompareAndSwap(false, true) {
		return i
	}
	if s.sets == 0 {
		s.forget()
	}
	set, chars, ok := uint32(0), 0, true
	if c.word {
		set = 1
	}
	for i < len(src) && !s.hit[set] {
		char, size := rune(src[i]), 1
		if char >= 0x80 || char == '\\' {
			if char, size = foldChar(src[i:]); size == 0 {
				break
			}
			if char == charHidden {
				i += size
				continue
			}
			if char == charNone && !rules.begins[src[i]] {
				if w := wordByte[src[i]]; w == wordGoesOn || w == wordAsBefore && s.word[set] {
					char = charWord
				}
			}
		}
		var to uint32
		if to, ok = s.next(rules, set, char); !ok {
			break
		}
		s.begun[chars%maxAge], s.within[chars%maxAge] = i, uint16(set)
		set, i, chars = to, i+size, chars+1
	}
	if oldest := s.first[set]; oldest < s.first[set+1] {
		at := (chars - 1 - int(s.member[oldest]>>24&(maxAge-1))) % maxAge
		i, set = s.begun[at], uint32(s.within[at])
	}
	c.word = s.word[set]
	c.debt = sweepDebt
	if !ok {
		s.forget()
		c.debt = -sweepPause
	}
	s.busy.Store(false)
	return i
}

// next returns the set behind a set by a character. It says no if there is no room for it.
func (s *sweeper) next(rules *customRules, set uint32, char rune) (uint32, bool) {
	from := set<<21 | uint32(char)&(1<<21-1) + 1
	step := &s.step[(from^from>>16)%maxSteps]
	if step.from == from {
		return uint32(step.to), true
	}
	to, ok := s.follow(rules, set, char)
	if ok {
		*step = sweepStep{from, uint16(to)}
	}
	return to, ok
}

// follow makes the set behind a set by a character, or finds it.
func (s *sweeper) follow(rules *customRules, set uint32, char rune) (uint32, bool) {
	if s.sets == maxSets {
		return 0, false
	}
	first := int(s.first[s.sets])
	n, word := first, char == charWord || wordChar(char)
	begun := attempt(rules.table.Root())
	if word && s.word[set] {
		begun |= midWord
	}
	s.hit[s.sets] = false
	for k := s.first[set]; k <= s.first[set+1] && n >= 0; k++ {
		a := begun
		if k < s.first[set+1] {
			a = s.member[k] + 1<<24
		}
		n = s.extend(rules, a, char, n)
	}
	if n < 0 {
		return 0, false
	}
	return s.intern(first, n, word), true
}

// extend adds an attempt to the set that is made, of n members so far, if it goes on by a
// character, and returns how many there are then, -1 if there is no room.
func (s *sweeper) extend(rules *customRules, a attempt, char rune, n int) int {
	on := rules.on
	if a&midWord != 0 {
		on &= rules.part
	}
	state, accepts, ok := rules.step(automaton.State(a&(1<<24-1)), char)
	if !ok || on == 0 {
		return n
	}
	if n == maxMembers || a>>24&(maxAge-1) == maxAge-1 {
		return -1
	}
	if accepts && rules.table.Accepted(state)&on != 0 {
		s.hit[s.sets] = true
	}
	s.member[n] = a&^(1<<24-1) | attempt(state)
	return n + 1
}

// intern returns the set of the members from first on, of which there are n with all
// before them: one that is known or the next.
func (s *sweeper) intern(first, n int, word bool) uint32 {
	hash := uint32(n - first)
	if word {
		hash += 1 << 16
	}
	if n == first {
		return hash >> 16
	}
	for _, a := range s.member[first:n] {
		hash = (hash ^ uint32(a)) * 0x9E3779B1
		hash ^= hash >> 15
	}
	slot := hash % uint32(len(s.known))
	for ; s.known[slot] > 0; slot = (slot + 1) % uint32(len(s.known)) {
		if set := uint32(s.known[slot] - 1); s.word[set] == word && s.same(set, first, n) {
			return set
		}
	}
	set := s.sets
	s.sets++
	s.known[slot] = uint16(s.sets)
	s.first[s.sets], s.word[set] = uint16(n), word
	return uint32(set)
}

// same says whether a set has the members from first to n.
func (s *sweeper) same(set uint32, first, n int) bool {
	of := s.member[s.first[set]:s.first[set+1]]
	if len(of) != n-first {
		return false
	}
	for i, a := range of {
		if a != s.member[first+i] {
			return false
		}
	}
	return true
}
