package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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
	entries, complete := make([]automata.Entry, len(written)), true
	for i := range written {
		field := fmt.Sprintf("spec.custom[%d]", i)
		custom := c.customEntry(e, field, &written[i])
		if slices.ContainsFunc(r.Custom, func(other spec.Custom) bool { return other.Name == custom.Name }) {
			c.at(e.unit, field+".name", fmt.Sprintf("%q is listed twice", custom.Name), "put both into one entry, or rename one")
		}
		r.Custom = append(r.Custom, custom)
		words, all := c.words(e.unit, field, &written[i])
		entries[i], complete = automata.Entry{Words: words, CaseSensitive: written[i].CaseSensitive}, complete && all
		if written[i].Pattern != nil {
			entries[i].Pattern = *written[i].Pattern
		}
	}
	if !complete {
		return // what the list that is wrong adds may be wrong in other ways
	}
	table, err := c.tables.build(entries)
	if wrong := (*automata.Error)(nil); errors.As(err, &wrong) {
		c.at(e.unit, fmt.Sprintf("spec.custom[%d].%s", wrong.Entry, fieldOf(wrong, &written[wrong.Entry])), wrong.Problem, wrong.Fix, lists(e.unit, written[wrong.Entry:wrong.Entry+1])...)
	} else if err != nil {
		c.at(e.unit, "spec.custom", err.Error(), "leave words out, or make patterns narrower", lists(e.unit, written)...)
	}
	r.Automaton = table
}

// words are those of an entry: the ones that it lists, and those of its files, if they
// could all be read.
func (c *checker) words(u *unit, field string, written *api.Custom) (words []string, complete bool) {
	words, before := written.Words, len(c.issues)
	for i, name := range written.WordsFrom {
		at := fmt.Sprintf("%s.wordsFrom[%d]", field, i)
		if slices.Contains(written.WordsFrom[:i], name) {
			c.at(u, at, fmt.Sprintf("%q is listed twice", name), "remove one of the two")
			continue
		}
		words = slices.Concat(words, c.list(u, at, name))
	}
	return words, len(c.issues) == before
}

// customEntry builds one entry, but for what it finds.
func (c *checker) customEntry(e entry[api.RedactionPolicy], field string, written *api.Custom) spec.Custom {
	custom := spec.Custom{
		Name: written.Name.String(), Mode: written.Mode.RedactionMode, PartOfWord: written.PartOfWord,
		Directions: c.directions(e.unit, field, written.Directions),
	}
	if len(written.Words) == 0 && len(written.WordsFrom) == 0 && (written.Pattern == nil || *written.Pattern == "") {
		c.at(e.unit, field, "there are neither words nor a pattern", "name what is to be found")
	}
	if written.Basis != nil {
		custom.Basis = written.Basis.String()
	}
	if problem := custom.Problem(); problem.Field != "" {
		c.at(e.unit, field+"."+problem.Field, problem.Text, problem.Fix)
	}
	return custom
}

// fieldOf is the field of an entry that an error is about: automata know one list of
// words, at the begin of which are those that the entry lists itself.
func fieldOf(wrong *automata.Error, written *api.Custom) string {
	index := len(written.Words)
	_, _ = fmt.Sscanf(wrong.Field, "words[%d]", &index)
	if strings.HasPrefix(wrong.Field, "words") && index >= len(written.Words) && len(written.WordsFrom) > 0 {
		return "wordsFrom"
	}
	return wrong.Field
}

// lists are those that entries take words from.
func lists(u *unit, entries []api.Custom) (all []key) {
	for i := range entries {
		for _, name := range entries[i].WordsFrom {
			all = append(all, listKey(u, name))
		}
	}
	return all
}
