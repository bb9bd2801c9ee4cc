package catalog

import (
	"maps"
	"slices"
	"strings"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

// inForce are the documents of what is in force: those of the set, and in the
// place of those that hold something else, ones that are written anew.
func (b *Builder) inForce(documents []source.Document) []source.Document {
	held := make(map[string][]*unit) // by the document that they were written in
	for k := range b.diverged {
		if k.kind == certificateFile {
			continue
		}
		if u := b.world.get(k); u != nil {
			held[u.place.name] = append(held[u.place.name], u)
		}
	}
	if len(b.diverged) == 0 && len(b.written.faulty) == 0 {
		return documents
	}
	var all []source.Document
	for _, document := range documents {
		f := b.written.files[document.Name]
		if !f.faulty() && len(held[document.Name]) == 0 && !slices.ContainsFunc(f.units, b.isHeld) {
			all = append(all, document)
			continue
		}
		for _, u := range f.units {
			if !b.isHeld(u) {
				held[document.Name] = append(held[document.Name], u)
			}
		}
		if len(held[document.Name]) > 0 {
			document.Data = render(held[document.Name])
			all = append(all, document)
		}
		delete(held, document.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(held)) { // whose document is no longer there
		units := held[name]
		all = append(all, source.Document{Name: name, Origin: units[0].doc.File(), Data: render(units)})
	}
	return all
}

func (b *Builder) isHeld(u *unit) bool { return b.diverged[u.key] }

// render is a document of units.
func render(units []*unit) []byte {
	slices.SortFunc(units, (*unit).compare)
	var text strings.Builder
	for i, u := range units {
		if i > 0 && !strings.HasPrefix(u.text, "---") {
			text.WriteString("---\n")
		}
		text.WriteString(strings.TrimRight(u.text, "\n") + "\n")
	}
	return []byte(text.String())
}
