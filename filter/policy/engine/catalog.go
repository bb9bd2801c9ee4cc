package engine

import (
	"slices"

	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// catalog is the models and their names, and what GET /v1/models answers.
type catalog struct {
	models  []spec.Model
	names   spec.Names
	list    []byte
	objects []object // by rank in names: where its object stands in list
}

type object struct{ start, end int32 }

// newCatalog takes the catalog of prev if its models are equal.
func newCatalog(models []spec.Model, prev *Program) *catalog {
	if prev != nil && slices.EqualFunc(prev.catalog.models, models, equalModel) {
		return prev.catalog
	}
	c := &catalog{models: models, names: spec.NewNames(models)}
	c.list = append(c.list, `{"object":"list","data":[`...)
	for i := range c.names.Len() {
		if i > 0 {
			c.list = append(c.list, ',')
		}
		name, _ := c.names.At(i)
		start := len(c.list)
		c.list = append(c.list, `{"id":`...)
		c.list = jsonscan.AppendString(c.list, name)
		c.list = append(c.list, `,"object":"model","created":0,"owned_by":"weir"}`...)
		c.objects = append(c.objects, object{int32(start), int32(len(c.list))})
	}
	c.list = append(c.list, "]}"...)
	return c
}

func equalModel(a, b spec.Model) bool {
	return a.Name == b.Name && a.Salt == b.Salt && a.VersionHeader == b.VersionHeader &&
		slices.Equal(a.Aliases, b.Aliases) && slices.Equal(a.Versions, b.Versions) && slices.Equal(a.Rules, b.Rules)
}

// object returns the JSON object of a model by name or alias, nil if there is none.
func (c *catalog) object(name string) []byte {
	i := c.names.Rank(name)
	if i < 0 {
		return nil
	}
	return c.list[c.objects[i].start:c.objects[i].end]
}
