package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// trustDomain builds the one trust domain. Peers of other trust domains would
// need their bundles, which nothing configures.
func (c *checker) trustDomain() TrustDomain {
	all := c.all(api.KindTrustDomain)
	if len(all) == 0 {
		c.whole(api.KindTrustDomain, "there is no TrustDomain: identities have nowhere to come from",
			"add a resource of kind TrustDomain with source: development")
		return TrustDomain{}
	}
	for _, second := range all[1:] {
		c.at(second, "kind", "there is already a trust domain, "+all[0].name, "remove one of the two", all[0].key)
	}
	e := as[api.TrustDomain](all[0])
	domain := TrustDomain{
		Name:      e.value.Metadata.Name.TrustDomain(),
		Source:    e.value.Spec.Source,
		XDSServer: e.value.Spec.XDSServer.ID(),
	}
	c.member(e.unit, "spec.xdsServer", domain.XDSServer)
	if domain.Source == api.SourceSPIRE && len(e.value.Spec.Entries) > 0 {
		c.at(e.unit, "spec.entries", "entries have no effect with source: spire", "register the workloads with the SPIRE server")
	}
	for i, written := range e.value.Spec.Entries {
		c.member(e.unit, fmt.Sprintf("spec.entries[%d].id", i), written.ID.ID())
	}
	if operators := e.value.Spec.Operators; operators != nil {
		domain.Operators.Read = c.members(e.unit, "spec.operators.read", operators.Read)
		domain.Operators.Write = c.members(e.unit, "spec.operators.write", operators.Write)
	}
	c.opened = append(c.opened, e.doc)
	entries, problems := Entries(e.doc, "spec.entries", e.value.Spec.Entries)
	for _, p := range problems {
		c.issues = append(c.issues, issue{Problem: p, about: e.key})
	}
	domain.Entries = entries
	return domain
}

// Entries checks a list of entries at a field of a document, and converts it:
// one process must be able to match all selectors of an entry.
func Entries(doc *strictyaml.Document, field string, written []api.Entry) (entries []Entry, problems []Problem) {
	for i, w := range written {
		entry := Entry{ID: w.ID.ID()}
		for j, selector := range w.Selectors {
			at := fmt.Sprintf("%s[%d].selectors[%d]", field, i, j)
			if message, hint := unmatchable(entry.Selectors, selector.String()); message != "" && !doc.Failed(at) {
				problems = append(problems, doc.At(at, message, hint))
			}
			entry.Selectors = append(entry.Selectors, selector.String())
		}
		entries = append(entries, entry)
	}
	return entries, problems
}

// unmatchable says why no process can match a selector besides others. A process
// has one of each kind: its effective group is its gid, whatever other groups it
// is in.
func unmatchable(others []string, selector string) (message, hint string) {
	for _, other := range others {
		if other == selector {
			return "selector is listed twice", "remove one of the two"
		}
		if selectorKind(other) == selectorKind(selector) {
			return fmt.Sprintf("no process can match both %s and %s", other, selector), "make two entries of it"
		}
	}
	return "", ""
}

// selectorKind is unix:uid of unix:uid:1000.
func selectorKind(selector string) string {
	parts := strings.SplitN(selector, ":", 3)
	return strings.Join(parts[:min(2, len(parts))], ":")
}

// member checks that an ID is in the trust domain.
func (c *checker) member(u *unit, field string, id spiffeid.ID) {
	e := as[api.TrustDomain](c.domain())
	if e.unit == nil || e.doc.Failed("metadata.name") || id.IsZero() {
		return
	}
	if domain := e.value.Metadata.Name.TrustDomain(); !id.MemberOf(domain) {
		c.at(u, field, fmt.Sprintf("%s is not in the trust domain %s", id, domain), "identities of other trust domains cannot be verified",
			key{kind: api.KindTrustDomain})
	}
}

// members checks and converts a list of IDs.
func (c *checker) members(u *unit, field string, written []api.SPIFFEID) []spiffeid.ID {
	var ids []spiffeid.ID
	for i, w := range written {
		at := fmt.Sprintf("%s[%d]", field, i)
		if slices.Contains(ids, w.ID()) {
			c.at(u, at, w.ID().String()+" is listed twice", "remove one of the two")
		}
		c.member(u, at, w.ID())
		ids = append(ids, w.ID())
	}
	return ids
}
