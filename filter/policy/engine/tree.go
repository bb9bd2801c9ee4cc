package engine

import (
	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/filter/policy/split"
	"github.com/weirmesh/weir/filter/policy/tree"
)

// request is a stream as trees see it.
type request Stream

// Attribute is part of tree.Request.
func (r *request) Attribute(i int, slot bool) []byte {
	s := (*Stream)(r)
	switch s.program.doc.Attributes[i].Source {
	case spec.FromTenant:
		return s.tenant.bytes()
	case spec.FromUser:
		if slot {
			return s.subject()
		}
		return s.userName()
	case spec.FromPeer:
		return s.host.Peer()
	case spec.FromClaim:
		return s.host.Property(s.program.claims[i])
	}
	return s.known.value(i)
}

// Now is part of tree.Request.
func (r *request) Now() int64 { return r.host.Now() }

// tree returns the tree of the model, nil if there is none.
func (s *Stream) tree() *spec.Tree {
	if i := s.program.models[s.model].tree; i >= 0 {
		return &s.program.doc.Trees[i]
	}
	return nil
}

// subject is who users are spread by: the user, else what the client sends as a
// stand-in, else one that is made up for this request.
//
//go:noinline
func (s *Stream) subject() []byte {
	if user := s.userName(); len(user) > 0 {
		return user
	}
	if t := s.tree(); t != nil && t.Sticky >= 0 {
		if value := s.known.value(t.Sticky); len(value) > 0 {
			return value
		}
	}
	if !s.made {
		s.made = true
		appendHexDigits(s.stranger[:0], s.host.Random())
	}
	return s.stranger[:]
}

// spread finds the bucket of the request, and tells a client without a user the
// stand-in by which it may stick to what it got.
func (s *Stream) spread() {
	m, t := &s.program.doc.Models[s.model], s.tree()
	if t == nil && len(s.userName()) == 0 {
		s.bucket = int(split.Random(s.host.Random()))
		return
	}
	s.bucket = int(split.Bucket(bytesOf(m.Salt), s.subject()))
	if t != nil && s.made && t.Sticky >= 0 {
		s.response.set(s.program.doc.Attributes[t.Sticky].Name, s.stranger[:])
	}
}

// climb asks the tree of the model, if it has one, which version is to be forced.
//
//go:noinline
func (s *Stream) climb() {
	t := s.tree()
	if t == nil {
		return
	}
	s.leaf = tree.Walk(t, (*request)(s), &s.path)
	if version := t.Leaves[s.leaf].Version; version >= 0 {
		s.version, s.versionBy = version, versionByTree
	}
}

// colour carries the colour of the request on, so that it sticks through a chain of
// calls: in the header, and as a member of baggage.
//
//go:noinline
func (s *Stream) colour() {
	i := s.program.models[s.model].tree
	if i < 0 || s.program.colours[i] < 0 {
		return
	}
	at := int(s.program.colours[i])
	value, rank := s.known.value(at), s.known.place[at].rank
	if len(value) == 0 || rank == rankOnly && s.known.carried&(1<<at) != 0 {
		return
	}
	name := s.program.doc.Attributes[at].Name
	if rank != rankOnly {
		header := s.scratch.close(append(append(s.scratch.open(), colourPrefix...), name...))
		s.edits.set(view(header), value)
	}
	if s.known.carried&(1<<at) == 0 {
		b := append(append(s.scratch.open(), name...), '=')
		s.edits.append(headerBaggage, s.scratch.close(appendEscaped(b, value)))
	}
}

// appendEscaped percent-encodes what may not stand in a value of baggage.
//
//go:noinline
func appendEscaped(b, value []byte) []byte {
	for _, c := range value {
		if c > ' ' && c < 0x7F && c != '"' && c != ',' && c != ';' && c != '\\' && c != '%' {
			b = append(b, c)
			continue
		}
		b = append(b, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
	}
	return b
}

// recordTree writes what the tree said: the name of its leaf, and the answers to its
// tests in their order.
//
//go:noinline
func (s *Stream) recordTree(r *recorder) {
	t := s.tree()
	if s.leaf < 0 || t == nil {
		return
	}
	if name := t.Texts[t.Leaves[s.leaf].Name]; name != "" {
		r.text("rule", name)
	}
	r.name("path")
	r.b = append(r.b, '"')
	for i := range s.path.Len() {
		if s.path.Yes(i) {
			r.b = append(r.b, '1')
		} else {
			r.b = append(r.b, '0')
		}
	}
	r.b = append(r.b, '"')
}
