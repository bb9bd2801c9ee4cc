package app

import (
	"bytes"
	"fmt"
	"os"
	"slices"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/stage"
	"github.com/weirmesh/weir/xds-server/internal/translate"
)

// candidate is a complete configuration that may be put in force.
type candidate struct {
	documents []source.Document // what it was made of; see catalog.Result
	domain    catalog.TrustDomain
	entries   []issue.Entry
	stage.Configuration
	held []catalog.HeldResource
}

// loader makes configurations of what sources hold and of the files that the
// options name. It changes nothing in the world, but each configuration is made
// at the price of what differs from the one before. It is not safe for
// concurrent use.
type loader struct {
	modulePath  string
	entriesPath string
	builder     *catalog.Builder
	translator  *translate.Translator
	module      []byte
	entries     []issue.Entry     // of the file, when it was right last
	faults      []catalog.Problem // of the file now
}

func newLoader(modulePath, entriesPath string) *loader {
	return &loader{
		modulePath: modulePath, entriesPath: entriesPath,
		builder: catalog.NewBuilder(), translator: translate.NewTranslator(translate.Options{}),
	}
}

// load makes a configuration. What is wrong with a part of the set is among the
// problems, and that part stands at its last good version; without a candidate
// nothing of the set can be put in force. mark is called when a step is done.
func (l *loader) load(set source.Set, mark func(step)) (*candidate, []catalog.Problem) {
	entries, faults := readEntries(l.entriesPath)
	if l.faults = faults; len(faults) == 0 {
		l.entries = entries
	}
	result := l.builder.Build(set)
	problems := result.Problems
	if result.Catalog == nil {
		return nil, problems
	}
	mark(accepted)
	c := &candidate{documents: result.Documents, domain: result.Catalog.TrustDomain, held: result.Held}
	var err error
	if c.entries, err = allEntries(c.domain, l.entries); err != nil {
		return nil, append(problems, catalog.Problem{Message: err.Error()})
	}
	if c.Snapshots, err = l.translate(result.Catalog); err != nil {
		return nil, append(problems, catalog.Problem{Message: err.Error()})
	}
	c.Groups = groups(result.Catalog)
	mark(translated)
	return c, problems
}

// step is a point on the way of a change.
type step int

const (
	accepted   step = iota // by the catalog
	translated             // to xDS resources
)

func (l *loader) translate(built *catalog.Catalog) (stage.Snapshots, error) {
	if slices.ContainsFunc(built.Gateways, func(g *catalog.Gateway) bool { return g.ModuleFile == "" }) {
		module, err := os.ReadFile(l.modulePath)
		if err != nil {
			return nil, fmt.Errorf("read the filter: %w: build it with `make filter` and name it with --filter-module, or set spec.filter.module.file of every Gateway", err)
		}
		if !bytes.Equal(module, l.module) {
			l.module = module
			l.translator.SetModule(module)
		}
	}
	return l.translator.Translate(built)
}

// groups are the Envoys that get a configuration in two steps.
func groups(built *catalog.Catalog) []stage.Group {
	var all []stage.Group
	for _, g := range built.Gateways {
		if g.Canary == nil {
			continue
		}
		all = append(all, stage.Group{
			Name: g.Name, Canaries: g.Canary.Envoys, Followers: g.Envoys,
			Proceed: g.Canary.WhenAbsent == api.AbsentProceed, Timeout: g.Canary.Timeout,
		})
	}
	return all
}
