package engine

import "github.com/weirmesh/weir/filter/policy/spec"

const (
	headerPath    = ":path"
	headerBaggage = "baggage"
	colourPrefix  = "x-"
)

// assignTrees tells every model its tree, and finds what the trees look at.
func (p *Program) assignTrees() {
	for i := range p.models {
		p.models[i].tree = none
	}
	p.metadata, p.colours = nil, make([]int8, len(p.doc.Trees))
	p.reads = reads{}
	p.claims = make([]string, len(p.doc.Attributes))
	for i := range p.doc.Attributes {
		switch p.doc.Attributes[i].Source {
		case spec.FromClaim:
			p.claims[i] = claimProperty(p.doc.Attributes[i].Name)
		case spec.FromHeader:
			p.reads.headers = true
		case spec.FromColour:
			p.reads.headers, p.reads.query, p.reads.baggage = true, true, true
		case spec.FromQuery:
			p.reads.query = true
		case spec.FromBaggage:
			p.reads.baggage = true
		case spec.FromMetadata:
			p.metadata = append(p.metadata, uint8(i))
		}
	}
	for i := range p.doc.Trees {
		t := &p.doc.Trees[i]
		p.models[p.catalog.names.Find(t.Model)].tree = int16(i)
		p.colours[i] = none
		for j := range t.Nodes {
			at := t.Nodes[j].Attribute
			if t.Nodes[j].Test <= spec.TestSlot && p.doc.Attributes[at].Source == spec.FromColour {
				p.colours[i] = int8(at)
			}
		}
	}
}

// reads says where attributes stand that trees look at.
type reads struct{ headers, query, baggage bool }

// learn takes what trees look at from a header.
//
//go:noinline
func (s *Stream) learn(name string, value []byte) {
	r := &s.program.reads
	switch {
	case name == headerPath:
		if r.query {
			s.learnQuery(value)
		}
		return
	case name == headerBaggage && r.baggage:
		s.learnBaggage(value)
	}
	if !r.headers || len(value) == 0 {
		return
	}
	for i := range s.program.doc.Attributes {
		a := &s.program.doc.Attributes[i]
		if a.Source == spec.FromHeader && a.Name == name || a.Source == spec.FromColour && isColour(name, a.Name) {
			s.remember(i, rankOnly, value, name)
		}
	}
}

// isColour says whether a header is x- and the colour's name.
func isColour(header, name string) bool {
	return hasPrefix(header, colourPrefix) && header[len(colourPrefix):] == name
}

// remember keeps a value, unless one that counts more is there. Of several values
// of equal rank the first counts.
//
//go:noinline
func (s *Stream) remember(i int, rank uint8, value []byte, param string) {
	k := &s.known
	if k.place[i].rank >= rank || len(value) == 0 {
		return
	}
	k.open(i)
	k.append(value)
	if !k.close(rank) {
		s.refuseParameter(param, "is too long to choose a version by")
	}
}

// learnQuery takes query parameters (application/x-www-form-urlencoded).
//
//go:noinline
func (s *Stream) learnQuery(path []byte) {
	at := 0
	for at < len(path) && path[at] != '?' {
		at++
	}
	for at < len(path) && path[at] != '#' {
		start := at + 1
		for at = start; at < len(path) && path[at] != '&' && path[at] != '#'; at++ {
		}
		s.learnPair(path[start:at], spec.FromQuery, rankQuery)
	}
}

// learnBaggage takes members of baggage (https://www.w3.org/TR/baggage/): they are
// parted by commas, and their properties follow behind semicolons.
//
//go:noinline
func (s *Stream) learnBaggage(value []byte) {
	for at := 0; at < len(value); at++ {
		start, end := at, 0
		for at < len(value) && value[at] != ',' {
			if value[at] == ';' && end == 0 {
				end = at
			}
			at++
		}
		if end == 0 {
			end = at
		}
		s.learnPair(value[start:end], spec.FromBaggage, rankBaggage)
	}
}

// learnPair takes name=value if a tree looks at it.
func (s *Stream) learnPair(pair []byte, source spec.AttributeSource, rank uint8) {
	eq := 0
	for eq < len(pair) && pair[eq] != '=' {
		eq++
	}
	if eq == len(pair) {
		return
	}
	name, value := trim(pair[:eq]), trim(pair[eq+1:])
	for i := range s.program.doc.Attributes {
		a := &s.program.doc.Attributes[i]
		if a.Source != source && a.Source != spec.FromColour || a.Name != view(name) {
			continue
		}
		counts := rankOnly
		if a.Source == spec.FromColour {
			counts = rank
			if rank == rankBaggage {
				s.known.carried |= 1 << i
			}
		}
		decoded := &s.pathVersion // free until the path is read
		if !decodePair(decoded, value, source == spec.FromQuery) {
			s.refuseParameter(a.Name, "cannot be read")
			return
		}
		s.remember(i, counts, decoded.bytes(), a.Name)
	}
}

// decodePair decodes the value of a query parameter or of a member of baggage.
func decodePair(dst *text, value []byte, plus bool) bool {
	if !percentDecode(dst, view(value)) {
		return false
	}
	for i := range dst.data[:dst.n] {
		if plus && dst.data[i] == '+' {
			dst.data[i] = ' '
		}
	}
	return true
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
