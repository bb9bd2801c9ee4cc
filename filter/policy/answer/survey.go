package answer

import "github.com/weirmesh/weir/filter/policy/jsonscan"

// none is no record.
const none = -1

// record is an object or list of an event.
type record struct {
	parent int16
	item   bool   // it is an object in a list
	ends   bool   // it ends its text
	name   uint32 // of the member that it is, or its position
	id     uint32 // what its indices are
	other  uint32 // likewise, of names
	key    uint32
	top    uint32 // key of the outermost item that it is in, 0 outside
}

// field is a string of an event, or what else of it is changed.
type field struct {
	from, to    int32 // in the event
	key, keyEnd int32 // its member's name
	name        uint32
	record      int16
	use         use
	coded       bool // it is JSON
}

// content is what the data of an event is.
type content uint8

const (
	contentNone content = iota
	contentJSON
	contentText
	contentMark // [DONE]
)

// survey is what an event holds. It is the sink of the scanner.
type survey struct {
	place
	scanner jsonscan.Scanner
	whole   []byte // the event
	blind   bool
	lines   bool // it is a line of JSON
	guessed bool // nobody said that it is an event
	content content
	broken  bool
	over    bool // there is more in it than can be told apart
	ends    bool // a record ends its text
	is      event

	records  [maxRecords]record
	count    int
	fields   [maxFields]field
	used     int
	open     field // that is being read
	keyed    field // the last name
	typed    bool  // it is the event's type
	kind     [48]byte
	kinds    int
	value    uint32 // hash of what is being read
	ended    int32  // of the last structure
	inScalar bool
	digits   [20]byte
}

// Hashes of words.
var (
	nameIndex = hash(seed, []byte("index"))
	wordNull  = hash(seed, []byte("null"))
)

// read reads an event; lines says that it is a line of JSON, of whatever type, and
// guessed that it may be no event at all.
func (v *survey) read(event []byte, lines, guessed, blind bool) {
	v.whole, v.blind, v.lines, v.guessed, v.content = event, blind, lines, guessed, contentNone
	v.broken, v.over, v.ends, v.is, v.inScalar, v.keyed = false, false, false, eventPart, false, field{}
	v.count, v.used, v.kinds = 0, 0, 0
	for at := 0; at < len(event) && !v.broken; {
		n := lineLength(event[at:])
		line := event[at : at+n]
		if data, ok := dataOf(line); lines {
			v.data(line)
		} else if ok {
			v.data(data)
		} else {
			v.other(line)
		}
		at += n + 1
	}
	if v.content == contentJSON && !v.broken {
		v.broken = v.scanner.Close(v) != nil
	}
	v.is = eventOf(view(v.kind[:v.kinds]))
	v.byKind()
	v.resolve()
}

// byKind finds out what the strings are by the event's type: pieces of sound are complete
// in themselves.
func (v *survey) byKind() {
	kind := view(v.kind[:v.kinds])
	arguments, sound := hasSuffix(kind, "arguments.delta"), hasSuffix(kind, "audio.delta")
	for i := range v.fields[:v.used] {
		f := &v.fields[i]
		f.coded = f.coded || arguments
		if sound && f.use == useJoined {
			f.use = useAlone
		}
	}
}

// lineLength returns how many bytes stand before the end of a line.
//
//go:noinline
func lineLength(p []byte) int {
	for i, c := range p {
		if c == '\n' || c == '\r' {
			return i
		}
	}
	return len(p)
}

// dataOf returns the data of a line of an event.
func dataOf(line []byte) ([]byte, bool) {
	if !hasPrefix(line, dataField) {
		return nil, false
	}
	if line = line[len(dataField):]; len(line) > 0 && line[0] == ' ' {
		line = line[1:]
	}
	return line, true
}

//go:noinline
func hasPrefix(p []byte, prefix string) bool {
	return len(p) >= len(prefix) && view(p[:len(prefix)]) == prefix
}

// other takes a line of the event that is no data. Those of the protocol are left alone;
// comments, and what is no line of an event at all, are texts of their own.
func (v *survey) other(line []byte) {
	if !v.guessed && (hasPrefix(line, "event:") || hasPrefix(line, "id:") || hasPrefix(line, "retry:")) {
		return
	}
	if at := v.offset(line); len(line) > 0 {
		v.add(field{from: at, to: at + int32(len(line)), record: none, use: useLine})
	}
}

// data takes a line of the event's data.
func (v *survey) data(line []byte) {
	if v.content == contentNone {
		v.begin(line)
	} else if v.content == contentJSON {
		v.broken = v.scanner.Scan(newline[:], v) != nil
	}
	switch {
	case v.broken:
	case v.content == contentJSON:
		v.broken = v.scanner.Scan(line, v) != nil
	case v.content == contentText:
		at := v.offset(line)
		v.add(field{from: at, to: at + int32(len(line)), name: textName, record: none, use: useJoined})
	}
}

// newline stands between two lines of data.
var newline = [1]byte{'\n'}

// textName is the name of text that is no JSON.
const textName = 1

// begin takes the first line that is not empty for what the data is.
func (v *survey) begin(line []byte) {
	for len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		line = line[1:]
	}
	switch {
	case len(line) == 0:
	case len(line) >= 6 && view(line[:6]) == "[DONE]":
		v.content = contentMark
	case line[0] == '{', line[0] == '[', line[0] == '"', v.lines:
		v.content = contentJSON
		v.scanner.Reset(jsonscan.MaxDepth)
		v.place.reset()
	default:
		v.content = contentText
	}
}

// offset is where a slice of the event begins.
func (v *survey) offset(p []byte) int32 { return int32(cap(v.whole) - cap(p)) }

//go:noinline
func (v *survey) add(f field) {
	if v.used == maxFields {
		v.over = true
		return
	}
	v.fields[v.used] = f
	v.used++
}

// resolve finds the keys of the records.
func (v *survey) resolve() {
	for i := range v.count {
		r := &v.records[i]
		above := uint32(0)
		if r.parent >= 0 {
			p := &v.records[r.parent]
			above, r.top = p.key, p.top
		}
		id := r.id
		if id == 0 {
			id = r.other
		}
		switch {
		case id == 0 && r.item: // some leave an index out that is 0
			r.key = mix(above, mix(nameIndex, hash(seed, jsonscan.AppendInt(v.digits[:0], int64(r.name)))))
		case id == 0:
			r.key = mix(above, r.name)
		case r.item:
			r.key = mix(above, id)
		default:
			r.key = mix(mix(above, r.name), id)
		}
		if r.item && r.top == 0 {
			r.top = r.key
		}
	}
}

// key is the key of the lane of a field.
func (v *survey) key(f *field) uint32 {
	if f.record < 0 {
		return f.name
	}
	return mix(v.records[f.record].key, f.name)
}

// root is the key of the event: of its indices.
func (v *survey) root() uint32 {
	if v.count == 0 {
		return 0
	}
	return v.records[0].key
}
