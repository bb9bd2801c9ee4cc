package redact

import (
	"math/bits"

	"github.com/weirmesh/weir/filter/policy/automaton"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// Matches of custom entries are looked for in what the detectors leave, so where both
// match the detectors win.

// Bounds of what is held for a custom match.
const (
	maxCustomRaw  = 512 // raw bytes of a match and of what it looks like up to there
	maxCustomHeld = maxCustomRaw + 64
)

// customRules find a user's words and patterns.
type customRules struct {
	table  *automaton.Table
	on     uint16 // entries that apply
	part   uint16 // those that also match within a word
	mode   [automaton.MaxEntries]spec.RedactionMode
	name   [automaton.MaxEntries]string
	begins [256]bool // raw bytes with which a match, or a character to be decoded, begins

	sweeper *sweeper
}

// newCustomRules returns the rules of the custom entries that apply in a direction, nil
// if there are none.
func newCustomRules(redaction *spec.Redaction, d spec.Direction) *customRules {
	c := &customRules{sweeper: &sweeper{}}
	for i := range min(len(redaction.Custom), automaton.MaxEntries) {
		e := &redaction.Custom[i]
		if !e.Applies(d) {
			continue
		}
		c.on |= 1 << i
		if e.PartOfWord {
			c.part |= 1 << i
		}
		c.mode[i], c.name[i] = e.Mode, e.Name
	}
	table, ok := automaton.Load(redaction.Automaton)
	if c.on == 0 || !ok {
		return nil
	}
	c.table = table
	for b := range c.begins {
		_, _, begins := table.Step(table.Root(), byte(b))
		c.begins[b] = begins || b == '\\' || foldLead[b]
	}
	return c
}

// custom is what is known of a string's end where a custom match may begin.
type custom struct {
	word  bool // a word goes on
	debt  int  // steps of attempts that came to nothing, less some for each byte
	steps int  // of all attempts
	held  int  // undecided bytes in carry
	carry [maxCustomHeld]byte
}

// customMatch is a match at the front of a text.
type customMatch struct {
	end  int // in raw bytes
	set  uint16
	word bool // its last character is one of a word
	read int  // how many raw bytes were looked at, as far as they count
}

// write passes raw bytes of the string on, but for custom matches in them.
func (r *Redactor) write(p []byte) {
	if r.rules == nil || r.rules.custom == nil {
		r.emit(p)
		return
	}
	c := &r.custom
	for c.held > 0 && len(p) > 0 {
		old := c.held
		n := copy(c.carry[old:], p)
		src := c.carry[:old+n]
		decided := r.findCustom(src, false)
		if decided >= old {
			c.held, p = 0, p[decided-old:]
		} else {
			c.held, p = copy(c.carry[:], src[decided:]), p[n:]
		}
	}
	if len(p) > 0 {
		decided := r.findCustom(p, false)
		c.held = copy(c.carry[:], p[decided:])
	}
}

// insert writes a text in place of a value. Custom matches do not reach over it.
func (r *Redactor) insert(text []byte) {
	r.settle()
	r.custom.word = false
	r.emit(text)
}

// settle decides what is held as if nothing followed.
func (r *Redactor) settle() {
	if c := &r.custom; c.held > 0 {
		r.findCustom(c.carry[:c.held], true)
		c.held = 0
	}
}

// findCustom writes src with its custom matches replaced, as far as that can be decided,
// and returns how far that is.
func (r *Redactor) findCustom(src []byte, final bool) int {
	c, rules := &r.custom, r.rules.custom
	from, i := 0, 0
	for i < len(src) {
		if !rules.begins[src[i]] {
			i = c.pass(rules, src, i)
			continue
		}
		if c.word && rules.part == 0 && wordByte[src[i]] == wordGoesOn && src[i] < 0x80 {
			i++ // nothing begins within a word
			continue
		}
		char, size := foldChar(src[i:])
		if size == 0 {
			if !final {
				break
			}
			i = len(src)
			continue
		}
		if char == charHidden {
			i += size
			continue
		}
		m, open := rules.match(src[i:], c.word, final)
		c.steps += m.read
		if open {
			break
		}
		if m.set == 0 {
			if next := c.sweepOn(rules, src, i, m.read); next > i {
				i = next
				continue
			}
			c.word = wordChar(char)
			i += size
			continue
		}
		r.emit(src[from:i])
		from, i = i, i+m.end
		if r.replaceCustom(src[from:i], bits.TrailingZeros16(m.set)) {
			from = i
		}
		c.word = m.word
	}
	r.emit(src[from:i])
	return i
}

// sweepOn is told that an attempt at i read so many bytes for nothing. It sweeps from there
// on if there was much of that, and returns where to go on.
func (c *custom) sweepOn(rules *customRules, src []byte, i, read int) int {
	if read -= sweepFree; read > 0 || c.debt > 0 {
		c.debt += read
	}
	if c.debt <= sweepDebt {
		return i
	}
	return c.sweep(rules, src, i)
}

// pass returns the offset of the first byte from i on with which a match may begin.
func (c *custom) pass(rules *customRules, src []byte, i int) int {
	first := i
	for i < len(src) && !rules.begins[src[i]] {
		i++
	}
	for k := i - 1; k >= first; k-- {
		if w := wordByte[src[k]]; w != wordAsBefore {
			c.word = w == wordGoesOn
			break
		}
	}
	return i
}

// match returns the longest match at the front of src; word says whether a word goes on
// there. It is open where src ends before that is clear, unless it is final.
func (c *customRules) match(src []byte, word, final bool) (best customMatch, open bool) {
	state, on, begun := c.table.Root(), c.on, false
	for at := 0; at < maxCustomRaw; {
		char, size := foldChar(src[at:])
		if size == 0 {
			return best, !final
		}
		at += size
		best.read = at
		if char == charHidden {
			continue
		}
		if !begun && word && wordChar(char) {
			on &= c.part
		}
		begun = true
		next, accepts, ok := c.step(state, char)
		if !ok || on == 0 {
			return best, false
		}
		state = next
		if !accepts {
			continue
		}
		set := c.table.Accepted(state) & on
		if set&^c.part != 0 && wordChar(char) {
			goesOn, unclear := wordFollows(src, at)
			if unclear && !final {
				return best, true
			}
			if goesOn {
				set &= c.part
			}
		}
		if set != 0 {
			best = customMatch{at, set, wordChar(char), at}
		}
	}
	return best, false
}

// step goes on by a character.
func (c *customRules) step(state automaton.State, char rune) (_ automaton.State, accepts, ok bool) {
	if uint32(char) < 0x80 {
		return c.table.Step(state, byte(char))
	}
	if char < 0 {
		return 0, false, false
	}
	shift, lead := 6, byte(0xC0)
	switch {
	case char >= 0x10000:
		shift, lead = 18, 0xF0
	case char >= 0x800:
		shift, lead = 12, 0xE0
	}
	state, _, ok = c.table.Step(state, lead|byte(char>>shift))
	for ok && shift > 0 {
		shift -= 6
		state, accepts, ok = c.table.Step(state, 0x80|byte(char>>shift)&0x3F)
	}
	return state, accepts, ok
}

// wordFollows says whether a word goes on at offset at of src, as far as src shows.
func wordFollows(src []byte, at int) (goesOn, unclear bool) {
	for at < maxCustomRaw {
		char, size := foldChar(src[at:])
		if size == 0 {
			return false, true
		}
		if char != charHidden {
			return wordChar(char), false
		}
		at += size
	}
	return false, false
}

// replaceCustom does with a match of an entry what that says. It returns false if the
// match stays.
func (r *Redactor) replaceCustom(raw []byte, entry int) bool {
	c := r.rules.custom
	mode, name := c.mode[entry], c.name[entry]
	kind := spec.EntityCustom + spec.EntityKind(entry)
	r.counts[kind]++
	r.of.found(r.rules.direction, kind, mode)
	if r.of.keys != nil && (mode == spec.RedactHMAC || r.of.wantsDigest()) {
		r.identifyCustom(raw)
		r.know(kind)
	}
	b := append(append(r.room[:0], '<'), name...)
	switch {
	case mode == spec.RedactDetect:
		return false
	case mode == spec.RedactDrop:
		return true
	case mode == spec.RedactMask:
		b = append(r.room[:0], stars[:4]...)
	case mode == spec.RedactHMAC && r.of.keys != nil:
		b = append(appendLetters(append(b, ':'), r.of.keys.sum[:hmacBytes]), '>')
	default:
		b = append(b, '>')
	}
	r.emit(b)
	return true
}

// identifyCustom leaves in keys.sum what stands for a match: the same however it is
// spelled, in ASCII in any case, and whichever entry it matches.
func (r *Redactor) identifyCustom(raw []byte) {
	keys := r.of.keys
	b := keys.text[:0]
	for len(raw) > 0 {
		char, size := foldChar(raw)
		if size == 0 {
			break
		}
		if uint32(char)-'A' < 26 {
			char |= 0x20
		}
		if char >= 0 {
			b = append(b, byte(char), byte(char>>8), byte(char>>16))
		}
		raw = raw[size:]
	}
	keys.values.Reset()
	keys.begin(&keys.values, spec.EntityCustom)
	keys.values.Write(b)
	keys.values.Sum(&keys.sum)
}
