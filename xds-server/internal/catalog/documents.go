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
	if len(b.diverged) == 0 && len(b.written.faulty) == 0 {
		return documents
	}
	held := b.heldUnits()
	var all []source.Document
	for _, document := range documents {
		f := b.written.files[document.Name]
		if !f.faulty() && len(held[document.Name]) == 0 && !slices.ContainsFunc(f.units, b.isHeld) {
			all = append(all, document)
			continue
		}
		units := append(held[document.Name], slices.DeleteFunc(slices.Clone(f.units), b.isHeld)...)
		if len(units) > 0 {
			document.Data = render(units)
			all = append(all, document)
		}
		delete(held, document.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(held)) { // whose document is no longer there
		units := held[name]
		all = append(all, source.Document{Name: name, Origin: units[0].file(), Data: render(units)})
	}
	return all
}

// heldUnits are the resources that stand at their last good version, by the
// document that it was written in.
func (b *Builder) heldUnits() map[string][]*unit {
	held := make(map[string][]*unit)
	for k := range b.diverged {
		if u := b.world.get(k); u != nil && k.kind != certificateFile {
			held[u.place.name] = append(held[u.place.name], u)
		}
	}
	return held
}

func (b *Builder) isHeld(u *unit) bool { return b.diverged[u.key] }

// render is a document of units.
func render(units []*unit) []byte {
	if units[0].kind == listOfWords {
		return []byte(units[0].text)
	}
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
