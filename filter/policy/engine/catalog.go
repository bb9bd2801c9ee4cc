package engine

import (
	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// catalog is the names of the models, and what GET /v1/models answers.
type catalog struct {
	names spec.Names
	list  []byte
	ends  []int32 // by rank in names: where its object ends in list
}

// What stands around the names in the list.
const (
	listHead   = `{"object":"list","data":[`
	listTail   = "]}"
	objectHead = `{"id":`
	objectTail = `,"object":"model","created":0,"owned_by":"weir"}`
)

// describe fills the list for the names.
func (c *catalog) describe() {
	n := c.names.Len()
	size := len(listHead) + n*len(objectHead+`"",`+objectTail) + len(listTail)
	for i := range n {
		name, _ := c.names.At(i)
		size += len(name)
	}
	c.list, c.ends = append(room(c.list, size)[:0], listHead...), room(c.ends, n)
	for i := range n {
		if i > 0 {
			c.list = append(c.list, ',')
		}
		name, _ := c.names.At(i)
		c.list = append(c.list, objectHead...)
		c.list = jsonscan.AppendString(c.list, name)
		c.list = append(c.list, objectTail...)
		c.ends[i] = int32(len(c.list))
	}
	c.list = append(c.list, listTail...)
}

// object returns the JSON object of a model by name or alias, nil if there is none.
func (c *catalog) object(name string) []byte {
	i := c.names.Rank(name)
	if i < 0 {
		return nil
	}
	start := len(listHead)
	if i > 0 {
		start = int(c.ends[i-1]) + len(",")
	}
	return c.list[start:c.ends[i]]
}
