package engine

import (
	"github.com/weirmesh/weir/filter/policy/bucket"
	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// The decision travels: what was decided about a request goes upstream and back in a
// header, and upstream in the baggage too, so that servers, logs and traces tell of
// the same request. It is written once, as members of W3C baggage
// (https://www.w3.org/TR/baggage/) whose keys begin with "weir.", and bounded by
// the lengths of names.

const (
	headerRequestID = "x-request-id"
	baggagePrefix   = "weir."
)

// maxBaggage bounds a baggage header, in bytes, as the standard does.
const maxBaggage = 8192

// identifier is the name of a request that a client or Envoy gave it.
type identifier struct {
	n    uint8
	data [maxIdentifier]byte
}

// maxIdentifier bounds the names of requests that are repeated, in bytes.
const maxIdentifier = 128

// set takes a value; one that is too long is forgotten.
func (i *identifier) set(value []byte) {
	i.n = 0
	if len(value) <= maxIdentifier {
		i.n = uint8(copy(i.data[:], value))
	}
}

func (i *identifier) bytes() []byte { return i.data[:i.n] }

// evaluation names what the filter decides the model's version by: the same on every
// Envoy, and another when it changes. Only trees are digested before: they may be
// long, and of models there may be too many to remember a number each.
func (s *Stream) evaluation() uint64 {
	m := &s.program.doc.Models[s.model]
	h := digest(fnvOffset)
	h.text(m.Name)
	h.text(m.Salt)
	h.text(m.VersionHeader)
	for _, version := range m.Versions {
		h.text(version)
	}
	for j := range m.Rules {
		r := &m.Rules[j]
		h.text(r.Header)
		h.text(r.Value)
		h.text(r.Version)
	}
	if t := s.program.models[s.model].tree; t >= 0 {
		h.number(int64(s.program.digests[t]))
	}
	return uint64(h)
}

// digestTrees digests all trees.
func (p *Program) digestTrees() {
	p.digests = room(p.digests, len(p.doc.Trees))
	for i := range p.digests {
		p.digests[i] = fnvOffset
		p.digestTree(&p.digests[i], &p.doc.Trees[i])
	}
}

// digestTree adds a tree to a digest.
func (p *Program) digestTree(h *digest, t *spec.Tree) {
	for _, text := range t.Texts {
		h.text(text)
	}
	for _, l := range t.Leaves {
		h.number(int64(l.Version))
		h.number(int64(l.Name))
	}
	for i := range t.Nodes {
		n := &t.Nodes[i]
		a := &p.doc.Attributes[n.Attribute]
		h.number(int64(a.Source))
		h.text(a.Name)
		for _, v := range n.Numbers() {
			h.number(v)
		}
	}
}

// digest is the FNV-1a hash of texts and numbers.
type digest uint64

const (
	fnvOffset = 0xCBF29CE484222325
	fnvPrime  = 0x100000001B3
)

//go:noinline
func (h *digest) text(s string) {
	for i := range len(s) {
		h.byte(s[i])
	}
	h.number(int64(len(s)))
}

//go:noinline
func (h *digest) number(n int64) {
	for shift := 0; shift < 64; shift += 8 {
		h.byte(byte(n >> shift))
	}
}

func (h *digest) byte(c byte) { *h = (*h ^ digest(c)) * fnvPrime }

// announce tells upstream and the client what was decided. The version is in it if it
// is forced; the route says the others in a header of its own.
//
//go:noinline
func (s *Stream) announce() {
	id := s.facts.id.bytes()
	if s.isRPC() && s.facts.rpcID.n > 0 {
		id = s.facts.rpcID.bytes()
		s.edits.set(headerRequestID, id)
	}
	m := &s.program.doc.Models[s.model]
	b := append(s.scratch.open(), "weir.model="...)
	b = appendEscaped(b, bytesOf(m.Name))
	if s.version >= 0 {
		b = appendEscaped(append(b, ",weir.version="...), bytesOf(m.Versions[s.version]))
	}
	b = append(append(b, ",weir.by="...), versionSources[s.versionBy]...)
	if t := s.tree(); t != nil && s.leaf >= 0 && t.Texts[t.Leaves[s.leaf].Name] != "" {
		b = appendEscaped(append(b, ",weir.rule="...), bytesOf(t.Texts[t.Leaves[s.leaf].Name]))
	}
	b = jsonscan.AppendInt(append(b, ",weir.bucket="...), int64(s.bucket))
	b = appendHexDigits(append(b, ",weir.evaluation="...), s.evaluation())
	if s.tenant.n > 0 {
		b = appendHexDigits(append(b, ",weir.tenant="...), s.tenantHash())
	}
	if len(id) > 0 {
		b = appendEscaped(append(b, ",weir.request="...), id)
	}
	b = jsonscan.AppendInt(append(b, ",weir.time="...), s.host.Now()/millisecond)
	b = s.scratch.close(b)
	s.edits.set(HeaderDecision, b)
	s.response.set(HeaderDecision, b)
	if s.facts.forged {
		s.edits.add(Edit{Op: Merge, Name: headerBaggage, Value: b})
	} else {
		s.edits.append(headerBaggage, b)
	}
}

// tenantHash stands for the tenant where others read it.
func (s *Stream) tenantHash() uint64 {
	return bucket.PartOf(s.tenant.bytes())
}

// AppendBaggage appends the members of a client's baggage header that are not Weir's to
// those in b, as many as there is room for.
//
//go:noinline
func AppendBaggage(b, value []byte) []byte {
	for len(value) > 0 {
		var member []byte
		member, value = cutMember(value)
		if len(member) > 0 && !isOwn(member) && len(b)+1+len(member) <= maxBaggage {
			b = append(append(b, ','), member...)
		}
	}
	return b
}

// forgesBaggage says whether a client's baggage has members that only the filter may
// write.
//
//go:noinline
func forgesBaggage(value []byte) bool {
	for len(value) > 0 {
		var member []byte
		if member, value = cutMember(value); isOwn(member) {
			return true
		}
	}
	return false
}

// cutMember cuts the first member off a header's value.
func cutMember(value []byte) (member, rest []byte) {
	end := 0
	for end < len(value) && value[end] != ',' {
		end++
	}
	return trim(value[:end]), value[min(end+1, len(value)):]
}

func isOwn(member []byte) bool {
	return len(member) >= len(baggagePrefix) && equalFold(view(member[:len(baggagePrefix)]), baggagePrefix)
}

// VersionUnknown says whether only the response's headers tell which version was
// taken.
func (s *Stream) VersionUnknown() bool { return !s.replied && s.version < 0 && s.model >= 0 }
