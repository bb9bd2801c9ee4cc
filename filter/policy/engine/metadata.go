package engine

import "github.com/weirmesh/weir/filter/policy/spec"

// metadata is what the inspector knows of the object of that name in the body, of
// which trees may look at members.
type metadata struct {
	within bool // in the object
	at     int  // attribute whose value comes next or is being read, none
	found  uint32
}

// foundMember takes a member's name. A second one of a name that trees look at is
// refused: servers differ in which of the two they obey.
//
//go:noinline
func (in *inspector) foundMember(name string) error {
	in.at = none
	for _, i := range in.s.program.metadata {
		if in.s.program.doc.Attributes[i].Name != name {
			continue
		}
		if in.metadata.found&(1<<i) != 0 {
			in.s.refuse(&duplicate, "metadata", "The parameter metadata has a member twice.")
			return errReplied
		}
		in.metadata.found |= 1 << i
		in.at = int(i)
		in.unescaper.Reset()
		return nil
	}
	return nil
}

// beginMetadata begins the object itself, or a container inside it, which counts as
// absent.
func (in *inspector) beginMetadata(object bool) {
	if object && in.param == paramMetadata {
		in.within, in.param = true, paramNone
	}
	in.at = none
}

// beginMember begins a string.
func (in *inspector) beginMember() {
	if in.at >= 0 {
		in.s.known.open(in.at)
	}
}

// memberBytes takes raw bytes of a string.
func (in *inspector) memberBytes(raw []byte) {
	if in.at >= 0 {
		k := &in.s.known
		out, full := in.unescaper.Append(k.data[:k.used:k.end()], raw)
		k.used, k.over = len(out), k.over || full
	}
}

//go:noinline
func (in *inspector) endMember() error {
	if in.at < 0 {
		return nil
	}
	k := &in.s.known
	if !k.over {
		out, full := in.unescaper.Finish(k.data[:k.used:k.end()])
		k.used, k.over = len(out), full
	}
	return in.closeMember()
}

// takeMember takes a number, true or false. null is the same as leaving it out.
//
//go:noinline
func (in *inspector) takeMember(value []byte, over bool) error {
	if view(value) == valueNull {
		in.at = none
		return nil
	}
	k := &in.s.known
	k.open(in.at)
	k.append(value)
	k.over = k.over || over
	return in.closeMember()
}

func (in *inspector) closeMember() error {
	name := in.s.program.doc.Attributes[in.at].Name
	in.at = none
	if !in.s.known.close(rankOnly) {
		in.s.refuseParameter("metadata", "has a member "+name+" that is too long")
		return errReplied
	}
	return nil
}

// Ranks of the places where an attribute may stand: the highest counts.
const (
	rankNone uint8 = iota
	rankBaggage
	rankQuery
	rankOnly // where it can stand in one place only, and a colour in its header
)

// attributeBytes bounds the values that a stream remembers for trees, all together;
// each is at most textBytes.
const attributeBytes = 4 << 10

// attributes is what a stream knows of what trees look at, besides tenant, user and
// peer.
type attributes struct {
	place   [spec.MaxAttributes]attributePlace
	carried uint32 // bits of colours that stand in baggage
	used    int
	data    [attributeBytes]byte

	// The value that is being written.
	at, start int
	over      bool
}

// attributePlace is where the value of an attribute stands in the data.
type attributePlace struct {
	start, n uint16
	rank     uint8
}

func (k *attributes) reset(n int) {
	clear(k.place[:n])
	k.used, k.carried = 0, 0
}

// open begins the value of an attribute; close ends it and says whether it fitted.
func (k *attributes) open(i int) { k.at, k.start, k.over = i, k.used, false }

// end is where the value that is being written has to end.
func (k *attributes) end() int { return min(k.start+textBytes, len(k.data)) }

func (k *attributes) append(p []byte) {
	n := copy(k.data[k.used:k.end()], p)
	k.used += n
	k.over = k.over || n < len(p)
}

func (k *attributes) close(rank uint8) bool {
	k.place[k.at] = attributePlace{uint16(k.start), uint16(k.used - k.start), rank}
	return !k.over
}

// value returns the value of an attribute, empty if it is absent.
func (k *attributes) value(i int) []byte {
	p := k.place[i]
	return k.data[p.start : p.start+p.n]
}
