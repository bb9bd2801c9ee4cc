package engine

import (
	"slices"

	"github.com/weirmesh/weir/filter/policy/spec"
)

// Compiler makes programs in the memory of retired ones. TinyGo's collector takes any
// word of a global for a pointer if it looks like one, so large pieces that are left
// to it may stay for ever; with a Compiler they are few and used again.
type Compiler struct {
	spare  *Program
	live   []*Program // that it made, and are not retired
	tables spec.Tables
}

// Compile is the function Compile. The program is to be retired when nobody uses it any
// more.
func (c *Compiler) Compile(document []byte, prev *Program) (*Program, error) {
	p := c.spare
	if p == nil {
		p = &Program{}
	}
	c.spare = nil
	if err := spec.ParseInto(&p.doc, &p.catalog.names, &c.tables, document); err != nil {
		c.forget(p)
		return nil, err
	}
	c.shareTables(p, prev)
	c.live = append(c.live, p)
	p.build(prev)
	return p, nil
}

// shareTables makes automata of equal bytes one: of a document, and of it and prev's. So
// rules that are taken from elsewhere look at the automaton that the document has, and
// its memory is in use as long as a program is that has it.
func (c *Compiler) shareTables(p, prev *Program) {
	for i := range p.doc.Redactions {
		own := &p.doc.Redactions[i].Automaton
		var same []byte
		if prev != nil {
			same = tableOf(prev.doc.Redactions, *own)
		}
		if same == nil {
			same = tableOf(p.doc.Redactions[:i], *own)
		}
		if same != nil {
			c.tables.Put(*own)
			*own = same
		}
	}
}

// tableOf returns the automaton of equal bytes, nil if there is none.
func tableOf(redactions []spec.Redaction, table []byte) []byte {
	for i := range redactions {
		if b := redactions[i].Automaton; len(b) > 0 && len(b) == len(table) && view(b) == view(table) {
			return b
		}
	}
	return nil
}

// Retire takes the memory of a program that nobody uses any more.
func (c *Compiler) Retire(p *Program) {
	if i := slices.Index(c.live, p); i >= 0 {
		c.live = slices.Delete(c.live, i, i+1)
	}
	for i := range p.doc.Redactions {
		b := p.doc.Redactions[i].Automaton
		p.doc.Redactions[i].Automaton = nil
		if len(b) > 0 && !c.uses(b) && !hasTable(p, b) {
			c.tables.Put(b)
		}
	}
	c.forget(p)
}

// forget keeps the memory of a program for the next.
func (c *Compiler) forget(p *Program) {
	clear(p.doc.Models)
	p.headers, p.limits, p.rules, p.answers, p.parts, p.policies = nil, nil, nil, nil, nil, nil
	c.spare = p
}

// uses says whether a program has this very automaton.
func (c *Compiler) uses(table []byte) bool {
	for _, p := range c.live {
		if hasTable(p, table) {
			return true
		}
	}
	return false
}

func hasTable(p *Program, table []byte) bool {
	for i := range p.doc.Redactions {
		if b := p.doc.Redactions[i].Automaton; len(b) > 0 && &b[0] == &table[0] {
			return true
		}
	}
	return false
}
