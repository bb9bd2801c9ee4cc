package paths

import (
	"unsafe"

	"github.com/weirmesh/weir/filter/policy/jsonscan"
)

// Tracker follows a text that a jsonscan.Scanner reads: its sink passes on what it is
// told. It has fixed size and never allocates. Use Reset before each text.
type Tracker struct {
	set   *Set
	depth int
	// Of the containers that are open, by depth: where they stand, and what holds for
	// the values in them. Those deeper than any rule share the last entry.
	at    [levels]uint16
	marks [levels]Mark
	lists uint32 // by bit: they are lists

	member    uint16 // place of the member whose key was read last
	long      bool   // that key is longer than any name
	named     uint8
	name      [MaxName]byte
	unescaper jsonscan.Unescaper
}

// levels of containers that rules may tell apart: depths 1 to MaxSteps + 1.
const levels = MaxSteps + 2

// Reset makes t ready for a text. No set marks nothing.
func (t *Tracker) Reset(set *Set) {
	t.set, t.depth, t.member = set, 0, nowhere
	t.named, t.long = 0, false
}

// Begin takes the event of jsonscan.Sink of this name, as the methods below do.
//
//go:noinline
func (t *Tracker) Begin(object bool, depth int) {
	place, mark := t.value()
	if mark&Alone != 0 {
		mark = t.around()
	}
	t.depth = depth
	if depth >= levels {
		return // the entry before holds: it is nowhere
	}
	t.at[depth], t.marks[depth] = place, mark
	t.lists &^= 1 << depth
	if !object {
		t.lists |= 1 << depth
	}
}

// End leaves a container.
func (t *Tracker) End(depth int) {
	t.depth = depth - 1
	t.named = 0
}

// KeyStart begins to collect a key.
//
//go:noinline
func (t *Tracker) KeyStart() {
	t.named, t.long = 0, false
	t.unescaper.Reset()
}

// KeyBytes collects raw content of the key.
//
//go:noinline
func (t *Tracker) KeyBytes(raw []byte) {
	if !t.long {
		t.collected(t.unescaper.Append(t.name[:t.named], raw))
	}
}

// KeyEnd finds the place that the key names.
//
//go:noinline
func (t *Tracker) KeyEnd() {
	if !t.long {
		t.collected(t.unescaper.Finish(t.name[:t.named]))
	}
	t.member = nowhere
	if t.long {
		t.named = 0
		return
	}
	if t.set != nil && t.depth < levels {
		t.member = t.set.find(t.at[t.depth], unsafe.String(&t.name[0], int(t.named)))
	}
}

func (t *Tracker) collected(name []byte, full bool) { t.named, t.long = uint8(len(name)), full }

// Key returns the name of the member that is being read, or of the one whose list that
// is. It is empty where there is none and for names longer than MaxName bytes. It is
// valid until the next event.
func (t *Tracker) Key() []byte { return t.name[:t.named] }

// Mark returns what holds for the value that begins now: a string or scalar, to be
// asked at its first event, before any other.
func (t *Tracker) Mark() Mark {
	_, mark := t.value()
	return mark &^ Alone
}

// around returns what the innermost open container says of the values in it.
func (t *Tracker) around() Mark {
	if t.depth == 0 {
		return 0
	}
	return t.marks[min(t.depth, levels-1)]
}

// value returns where the value that begins now stands, and what holds for it.
//
//go:noinline
func (t *Tracker) value() (place uint16, mark Mark) {
	if t.set == nil {
		return nowhere, 0
	}
	mark = t.around()
	switch {
	case t.depth == 0:
		place = 0
	case t.depth >= levels:
		return nowhere, mark
	case t.lists>>t.depth&1 != 0:
		place = t.set.find(t.at[t.depth], item)
	default:
		place = t.member
	}
	if place != nowhere && t.set.nodes[place].mark != 0 {
		mark = t.set.nodes[place].mark
	}
	return place, mark
}
