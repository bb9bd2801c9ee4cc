package catalog

import (
	"fmt"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// entry is a resource as it was written, and the document that says where.
type entry[T any] struct {
	doc   *strictyaml.Document
	name  string
	value *T
}

// broken reports whether parts of the resource could not be read, so that what
// others expect of it may be in those parts.
func (e entry[T]) broken() bool { return len(e.doc.Problems()) > 0 }

// resources are all that was read, by kind and in the order of the files.
type resources struct {
	gateways     []entry[api.Gateway]
	models       []entry[api.Model]
	routes       []entry[api.ModelRoute]
	limits       []entry[api.TokenLimit]
	redactions   []entry[api.RedactionPolicy]
	trustDomains []entry[api.TrustDomain]
}

// checker gathers problems.
type checker struct {
	problems []Problem
	// incomplete: a document could not be read at all, so what is not found may be in it.
	incomplete bool
	origins    map[string]origin
}

// origin is where a resource was seen first.
type origin struct {
	file string
	strictyaml.Position
}

// at reports a problem at a field, unless what is there could not be read:
// then the problem that says so is enough.
func (c *checker) at(doc *strictyaml.Document, field, message, hint string) {
	if !doc.Failed(field) {
		c.problems = append(c.problems, doc.At(field, message, hint))
	}
}

// whole reports a problem of the set of files as a whole.
func (c *checker) whole(message, hint string) {
	if !c.incomplete {
		c.problems = append(c.problems, Problem{Message: message, Hint: hint})
	}
}

// read decodes all documents and files them by kind.
func (c *checker) read(documents []source.Document) *resources {
	all := &resources{}
	for _, file := range documents {
		docs, problems := strictyaml.Parse(file.Name, file.Data)
		c.problems = append(c.problems, problems...)
		c.incomplete = c.incomplete || len(problems) > 0
		for _, doc := range docs {
			c.readDocument(all, file.Name, doc)
		}
	}
	return all
}

func (c *checker) readDocument(all *resources, file string, doc *strictyaml.Document) {
	kind, _ := doc.Text("kind")
	name, _ := doc.Text("metadata", "name")
	if kind != "" && name != "" {
		doc.Name(kind + "/" + name)
	}
	switch kind {
	case api.KindGateway:
		all.gateways = add(c, all.gateways, file, kind, name, doc)
	case api.KindModel:
		all.models = add(c, all.models, file, kind, name, doc)
	case api.KindModelRoute:
		all.routes = add(c, all.routes, file, kind, name, doc)
	case api.KindTokenLimit:
		all.limits = add(c, all.limits, file, kind, name, doc)
	case api.KindRedactionPolicy:
		all.redactions = add(c, all.redactions, file, kind, name, doc)
	case api.KindTrustDomain:
		all.trustDomains = add(c, all.trustDomains, file, kind, name, doc)
	default:
		c.unknownKind(doc, kind)
	}
}

func (c *checker) unknownKind(doc *strictyaml.Document, kind string) {
	c.incomplete = true
	message := "field is missing, or is not a string"
	if kind != "" {
		message = fmt.Sprintf("%q is not a kind of resource", kind)
	}
	c.problems = append(c.problems, doc.At("kind", message, strictyaml.DidYouMean(kind, api.Kinds())))
}

// add decodes a document as a resource of a kind. A second one of the same
// name is a problem and is left out.
func add[N, S any](c *checker, to []entry[api.Resource[N, S]], file, kind, name string, doc *strictyaml.Document) []entry[api.Resource[N, S]] {
	value := &api.Resource[N, S]{}
	doc.Decode(value)
	c.problems = append(c.problems, doc.Problems()...)
	if name == "" {
		c.incomplete = true // its name could not be read: it may be what others refer to
		return to
	}
	const field = "metadata.name"
	if first, twice := c.origins[kind+"/"+name]; twice {
		c.at(doc, field, fmt.Sprintf("%s/%s is already defined at %s:%d", kind, name, first.file, first.Line), "rename or remove one of the two")
		return to
	}
	c.origins[kind+"/"+name] = origin{file, doc.Position(field)}
	return append(to, entry[api.Resource[N, S]]{doc: doc, name: name, value: value})
}
