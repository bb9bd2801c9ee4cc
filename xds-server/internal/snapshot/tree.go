package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// The resources of one type are the leaves of a tree that branches sixteen
// ways on the hash of the name, four bits at a time, as deep as it takes to
// tell the names apart and no deeper. So the shape follows from the names
// alone, and each branch has a digest that follows from its content alone.
// Nothing in a tree changes once it is built: an edit copies the branches from
// the root to the leaf and shares the rest.

// digestBytes is how much of a SHA-256 is kept: 128 bits, so that two contents
// with one digest, or two names with one key, do not happen by chance.
const digestBytes = 16

type digest [digestBytes]byte

// keyOf says where the resource with a name is in the tree.
func keyOf(name string) digest {
	sum := sha256.Sum256([]byte(name))
	return digest(sum[:digestBytes])
}

// nibble is the branch to take at a depth. No depth is beyond the last: keys
// that agree in all nibbles are one key.
func (d digest) nibble(depth int) int {
	b := d[depth/2]
	if depth%2 == 0 {
		return int(b >> 4)
	}
	return int(b & 15)
}

// slot is a leaf: the resource of one name, and how many references in the
// snapshot lead to it.
type slot struct {
	key      digest
	content  digest // of name and version; not of needed
	resource *Resource
	needed   int
}

func (s *slot) seal() {
	sum := sha256.New()
	// The tag tells leaves from branches, and the length where the name ends.
	sum.Write(binary.AppendUvarint([]byte{'s'}, uint64(len(s.resource.Name))))
	sum.Write([]byte(s.resource.Name))
	sum.Write([]byte(s.resource.Version))
	s.content = digest(sum.Sum(nil)[:digestBytes])
}

// child is a branch, a slot, or (the zero child) neither.
type child struct {
	branch *branch
	slot   *slot
}

func (c child) empty() bool { return c.branch == nil && c.slot == nil }

func (c child) content() digest {
	if c.slot != nil {
		return c.slot.content
	}
	return c.branch.content
}

// branch has one child for each bit in present, in their order. Below the root
// no branch has a slot as its only child. The nil *branch is an empty tree.
type branch struct {
	content  digest
	size     int
	present  uint16
	children []child
}

func (b *branch) len() int {
	if b == nil {
		return 0
	}
	return b.size
}

func (b *branch) sum() digest {
	if b == nil {
		return digest{}
	}
	return b.content
}

// at returns the child at a nibble, the zero child if there is none.
func (b *branch) at(nibble int) child {
	if b == nil || b.present&(1<<nibble) == 0 {
		return child{}
	}
	return b.children[bits.OnesCount16(b.present&(1<<nibble-1))]
}

func (b *branch) find(key digest) *slot {
	for depth := 0; ; depth++ {
		next := b.at(key.nibble(depth))
		switch {
		case next.slot != nil && next.slot.key == key:
			return next.slot
		case next.branch == nil:
			return nil
		}
		b = next.branch
	}
}

// each calls visit with the slots below until it returns false.
func (b *branch) each(visit func(*slot) bool) bool {
	if b == nil {
		return true
	}
	for _, c := range b.children {
		if !c.each(visit) {
			return false
		}
	}
	return true
}

func (c child) each(visit func(*slot) bool) bool {
	if c.slot != nil {
		return visit(c.slot)
	}
	return c.branch.each(visit)
}

// edit puts a slot at a key, or removes what is there.
type edit struct {
	key  digest
	slot *slot // nil: remove
}

// apply returns b with the edits, which are sorted by key, one for each. Each
// branch is built once however many edits are below it.
func (b *branch) apply(depth int, edits []edit) *branch {
	next := &branch{}
	for nibble := range 16 {
		own := 0
		for own < len(edits) && edits[own].key.nibble(depth) == nibble {
			own++
		}
		if c := b.at(nibble).apply(depth+1, edits[:own]); !c.empty() {
			next.add(nibble, c)
		}
		edits = edits[own:]
	}
	if next.size == 0 {
		return nil
	}
	next.seal()
	return next
}

func (c child) apply(depth int, edits []edit) child {
	switch {
	case len(edits) == 0:
		return c
	case c.branch == nil && len(edits) == 1 && (c.slot == nil || c.slot.key == edits[0].key):
		return child{slot: edits[0].slot}
	case c.slot != nil:
		edits = withSlot(edits, c.slot)
	}
	next := c.branch.apply(depth, edits)
	if next != nil && next.size == 1 && next.children[0].slot != nil {
		return next.children[0]
	}
	return child{branch: next}
}

// withSlot is edits with one that puts the slot, unless one of its key is there.
func withSlot(edits []edit, own *slot) []edit {
	at := 0
	for at < len(edits) && bytes.Compare(edits[at].key[:], own.key[:]) < 0 {
		at++
	}
	if at < len(edits) && edits[at].key == own.key {
		return edits
	}
	all := make([]edit, 0, len(edits)+1)
	all = append(all, edits[:at]...)
	all = append(all, edit{key: own.key, slot: own})
	return append(all, edits[at:]...)
}

func (b *branch) add(nibble int, c child) {
	b.present |= 1 << nibble
	b.children = append(b.children, c)
	if c.slot != nil {
		b.size++
		return
	}
	b.size += c.branch.size
}

func (b *branch) seal() {
	data := make([]byte, 0, 3+16*digestBytes)
	data = binary.BigEndian.AppendUint16(append(data, 'b'), b.present)
	for _, c := range b.children {
		own := c.content()
		data = append(data, own[:]...)
	}
	sum := sha256.Sum256(data)
	b.content = digest(sum[:digestBytes])
}
