package source

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// merger makes one Set of what the sources hold. It remembers what it found in
// documents, so that only those that changed are looked into.
type merger struct {
	labels  []string // of each source
	several bool     // more than one has documents
	seen    map[string]looked
}

// looked is what is known of a document.
type looked struct {
	data        []byte
	readable    bool
	definitions []definition // as of when it was readable last
	gone        []definition // those that a later source has
	rest        []byte       // the data without them
}

func newMerger(sources []Source) (*merger, error) {
	if len(sources) == 0 {
		return nil, errors.New("no sources of resources: name a folder with --resources DIR, or an etcd with --etcd ENDPOINTS")
	}
	m := &merger{seen: make(map[string]looked)}
	names, withDocuments := make(map[string]bool), 0
	for _, s := range sources {
		if names[s.String()] {
			return nil, fmt.Errorf("%s is given twice: leave one of the two out", s)
		}
		names[s.String()] = true
		m.labels = append(m.labels, s.Label())
		if s.Label() != "" {
			withDocuments++
		}
	}
	m.several = withDocuments > 1
	return m, nil
}

// merge makes one Set; held[i] is what source i holds.
func (m *merger) merge(held []Set) (Set, []Override) {
	merged := Set{Certificates: make(map[string][]byte)}
	var from []int // the source of each document
	for i, set := range held {
		maps.Copy(merged.Certificates, set.Certificates)
		for _, d := range set.Documents {
			if m.several {
				d.Name = strings.TrimSuffix(m.labels[i], "/") + "/" + d.Name
			}
			d.Origin = d.Where()
			merged.Documents = append(merged.Documents, d)
			from = append(from, i)
		}
	}
	if !m.several {
		return merged, nil
	}
	m.lookInto(merged.Documents)
	return merged, m.override(merged.Documents, from)
}

// lookInto finds the resources of the documents that changed.
func (m *merger) lookInto(documents []Document) {
	seen := make(map[string]looked, len(documents))
	for _, d := range documents {
		known, ok := m.seen[d.Name]
		if !ok || !bytes.Equal(known.data, d.Data) {
			before := known.definitions
			known = looked{data: d.Data}
			if known.definitions, known.readable = definitions(d); !known.readable {
				known.definitions = before
			}
		}
		seen[d.Name] = known
	}
	m.seen = seen
}

// override takes what a later source defines out of the documents of earlier ones.
func (m *merger) override(documents []Document, from []int) []Override {
	type owner struct {
		source int
		where  string
	}
	owners := make(map[string]owner)
	for i, d := range documents {
		for _, def := range m.seen[d.Name].definitions {
			if first, ok := owners[def.resource]; !ok || first.source != from[i] {
				owners[def.resource] = owner{from[i], def.at(d)}
			}
		}
	}
	var overrides []Override
	for i := range documents {
		d, gone := &documents[i], []definition(nil)
		for _, def := range m.seen[d.Name].definitions {
			if by := owners[def.resource]; by.source != from[i] {
				gone = append(gone, def)
				overrides = append(overrides, Override{Resource: def.resource, By: by.where, Instead: def.at(*d)})
			}
		}
		if len(gone) > 0 {
			d.Data = m.rest(d.Name, gone)
		}
	}
	return overrides
}

// rest is a document's data without some definitions: the same slice as long as
// both are the same.
func (m *merger) rest(name string, gone []definition) []byte {
	known := m.seen[name]
	switch {
	case !known.readable: // nobody knows where they stand; nothing in it is in force either
		return known.data
	case !slices.Equal(known.gone, gone):
		known.gone, known.rest = gone, without(known.data, gone)
		m.seen[name] = known
	}
	return known.rest
}
