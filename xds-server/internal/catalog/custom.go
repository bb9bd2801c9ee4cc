package catalog

import (
	"errors"
	"fmt"
	"slices"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/automata"
)

// custom builds the words and patterns of a policy and the table that finds them.
func (c *checker) custom(e entry[api.RedactionPolicy], r *spec.Redaction) {
	written := e.value.Spec.Custom
	if len(written) == 0 {
		if len(e.value.Spec.Entities) == 0 {
			c.at(e.unit, "spec.entities", "there are neither entities nor custom entries", "name at least one kind")
		}
		return
	}
	if len(written) > spec.MaxCustom {
		c.at(e.unit, "spec.custom", fmt.Sprintf("there are more than %d entries", spec.MaxCustom), "put words that get one tag into one entry")
		return
	}
	entries := make([]automata.Entry, len(written))
	for i := range written {
		field := fmt.Sprintf("spec.custom[%d]", i)
		custom := c.customEntry(e, field, &written[i])
		if slices.ContainsFunc(r.Custom, func(other spec.Custom) bool { return other.Name == custom.Name }) {
			c.at(e.unit, field+".name", fmt.Sprintf("%q is listed twice", custom.Name), "put both into one entry, or rename one")
		}
		r.Custom = append(r.Custom, custom)
		entries[i] = automata.Entry{Words: written[i].Words, CaseSensitive: written[i].CaseSensitive}
		if written[i].Pattern != nil {
			entries[i].Pattern = *written[i].Pattern
		}
	}
	table, err := automata.Build(entries)
	if wrong := (*automata.Error)(nil); errors.As(err, &wrong) {
		c.at(e.unit, fmt.Sprintf("spec.custom[%d].%s", wrong.Entry, wrong.Field), wrong.Problem, wrong.Fix)
	} else if err != nil {
		c.at(e.unit, "spec.custom", err.Error(), "leave words out, or make patterns narrower")
	}
	r.Automaton = table
}

// customEntry builds one entry, but for what it finds.
func (c *checker) customEntry(e entry[api.RedactionPolicy], field string, written *api.Custom) spec.Custom {
	custom := spec.Custom{
		Name: written.Name.String(), Mode: written.Mode.RedactionMode, PartOfWord: written.PartOfWord,
		Directions: c.directions(e.unit, field, written.Directions),
	}
	if len(written.Words) == 0 && (written.Pattern == nil || *written.Pattern == "") {
		c.at(e.unit, field, "there are neither words nor a pattern", "name what is to be found")
	}
	if problem := custom.Problem(); problem.Field != "" {
		c.at(e.unit, field+"."+problem.Field, problem.Text, problem.Fix)
	}
	return custom
}
