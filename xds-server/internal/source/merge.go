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
	labels  []string           // of each source
	several bool               // more than one has documents
	seen    map[string]*looked // by the document's name
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
	m := &merger{seen: make(map[string]*looked)}
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
	total := 0
	for _, set := range held {
		total += len(set.Documents)
	}
	merged.Documents = make([]Document, 0, total)
	from := make([]int, 0, total) // the source of each document
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
	return merged, override(merged.Documents, from, m.lookInto(merged.Documents))
}

// lookInto finds the resources of the documents, looking only into those that
// changed.
func (m *merger) lookInto(documents []Document) []*looked {
	all := make([]*looked, len(documents))
	for i, d := range documents {
		known, ok := m.seen[d.Name]
		if !ok || !bytes.Equal(known.data, d.Data) {
			next := &looked{data: d.Data}
			next.definitions, next.readable = definitions(d)
			if ok && !next.readable {
				next.definitions = known.definitions
			}
			m.seen[d.Name], known = next, next
		}
		all[i] = known
	}
	if len(m.seen) > len(documents) { // some are gone
		clear(m.seen)
		for i, d := range documents {
			m.seen[d.Name] = all[i]
		}
	}
	return all
}

// override takes what a later source defines out of the documents of earlier
// ones; from is the source of each document, and known what is in it.
func override(documents []Document, from []int, known []*looked) []Override {
	type owner struct {
		document int
		definition
	}
	owners := make(map[string]owner, len(documents))
	for i := range documents {
		for _, def := range known[i].definitions {
			if first, ok := owners[def.resource]; !ok || from[first.document] != from[i] {
				owners[def.resource] = owner{i, def}
			}
		}
	}
	var overrides []Override
	for i := range documents {
		var gone []definition
		for _, def := range known[i].definitions {
			if by := owners[def.resource]; from[by.document] != from[i] {
				gone = append(gone, def)
				overrides = append(overrides, Override{
					Resource: def.resource, By: by.at(documents[by.document]), Instead: def.at(documents[i]),
				})
			}
		}
		if len(gone) > 0 {
			documents[i].Data = known[i].without(gone)
		}
	}
	return overrides
}

// without is the data without some definitions: the same slice as long as both
// are the same.
func (l *looked) without(gone []definition) []byte {
	switch {
	case !l.readable: // nobody knows where they stand; nothing in it is in force either
		return l.data
	case !slices.Equal(l.gone, gone):
		l.gone, l.rest = gone, without(l.data, gone)
	}
	return l.rest
}
