package engine

import (
	"slices"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// versionHeader is a header that chooses versions, and every value of it that
// means something to some model. A stream then remembers one number a header
// instead of its bytes.
type versionHeader struct {
	name   string
	values []string // sorted
}

// What a stream remembers of a version header instead of an index.
const (
	headerAbsent  int32 = -2
	headerUnknown int32 = -1 // a value that means nothing to any model
)

// newVersionHeaders collects the headers and values of all models.
func newVersionHeaders(models []spec.Model) []versionHeader {
	var headers []versionHeader
	for _, name := range spec.VersionHeaders(models) {
		headers = append(headers, versionHeader{name: name})
	}
	for i := range headers {
		headers[i].collect(models)
	}
	return headers
}

// collect finds the values. They are sorted whenever there is no more room, and the
// room grows only for different ones: thousands of models have the same few.
func (h *versionHeader) collect(models []spec.Model) {
	for i := range models {
		m := &models[i]
		if m.VersionHeader == h.name {
			for _, version := range m.Versions {
				h.add(version)
			}
		}
		for j := range m.Rules {
			if m.Rules[j].Header == h.name {
				h.add(m.Rules[j].Value)
			}
		}
	}
	h.compact()
}

func (h *versionHeader) add(value string) {
	if len(h.values) == cap(h.values) {
		h.compact()
		if len(h.values) > cap(h.values)/2 {
			h.values = slices.Grow(h.values, max(len(h.values), 16))
		}
	}
	h.values = append(h.values, value)
}

func (h *versionHeader) compact() {
	sortTexts(h.values)
	h.values = slices.Compact(h.values)
}

// sortTexts is a heapsort: slices.Sort has six kilobytes in the module.
func sortTexts(texts []string) {
	for i := len(texts)/2 - 1; i >= 0; i-- {
		sink(texts, i)
	}
	for end := len(texts) - 1; end > 0; end-- {
		texts[0], texts[end] = texts[end], texts[0]
		sink(texts[:end], 0)
	}
}

// sink restores the heap below i.
//
//go:noinline
func sink(heap []string, i int) {
	for {
		child := 2*i + 1
		if child >= len(heap) {
			return
		}
		if child+1 < len(heap) && heap[child] < heap[child+1] {
			child++
		}
		if heap[i] >= heap[child] {
			return
		}
		heap[i], heap[child] = heap[child], heap[i]
		i = child
	}
}

// findHeader returns the index of the header of this name, none if there is none.
func findHeader(headers []versionHeader, name string) int {
	for i := range headers {
		if headers[i].name == name {
			return i
		}
	}
	return none
}

// find returns the index of a value, or headerUnknown.
func (h *versionHeader) find(value string) int32 {
	lo, hi := 0, len(h.values)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if h.values[mid] < value {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(h.values) && h.values[lo] == value {
		return int32(lo)
	}
	return headerUnknown
}

// versionSource is who chose the version.
type versionSource uint8

const (
	versionByRoute versionSource = iota // nobody here: the route's weights will
	versionByPath
	versionByHeader
	versionByRule
	versionByTree
)

var versionSources = [...]string{"route", "path", "header", "rule", "tree"}

// chooseVersion finds the version that this request forces: the path's, then the
// version header's, then that of the first rule that matches, then what the tree
// says. It answers 404 for one that the model does not have.
func (s *Stream) chooseVersion() bool {
	versions, m := s.program.doc.Models[s.model].Versions, &s.program.models[s.model]
	s.version, s.versionBy = none, versionByRoute
	if s.route.hasVersion {
		s.version, s.versionBy = slices.Index(versions, view(s.pathVersion.bytes())), versionByPath
		return s.version >= 0 || s.refuseVersion()
	}
	if m.header >= 0 && s.versionValues[m.header] != headerAbsent {
		value := s.versionValues[m.header]
		if value >= 0 {
			s.version = slices.Index(versions, s.program.headers[m.header].values[value])
		}
		s.versionBy = versionByHeader
		return s.version >= 0 || s.refuseVersion()
	}
	for _, r := range s.program.choices[m.choice:][:m.choices] {
		if s.versionValues[r.header] == r.value {
			s.version, s.versionBy = int(r.version), versionByRule
			return true
		}
	}
	s.climb()
	return true
}
