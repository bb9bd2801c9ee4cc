package routetree

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/condition"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

var user = spec.Attribute{Source: spec.FromUser}

// decide is a leaf for a version that the model must have.
func (b *Builder) decide(field string, version api.VersionName) Target {
	name := version.String()
	if !slices.Contains(b.versions, name) && name != "" {
		b.problem(field, fmt.Sprintf("the model has no version %q", name), strictyaml.DidYouMean(name, b.versions))
	}
	return b.Leaf(field, name)
}

// version decides always.
type version struct{}

func (version) Build(b *Builder, c *api.VersionName) Target { return b.decide("", *c) }

// toSplit leaves the request to the route's split.
type toSplit struct{}

func (toSplit) Build(b *Builder, _ *bool) Target { return b.Leaf("", "") }

// header compares a header with values.
type header struct{}

func (header) Build(b *Builder, c *api.HeaderStrategy) Target {
	at := spec.Attribute{Source: spec.FromHeader, Name: c.Name.String()}
	to := b.next
	for i, v := range slices.Backward(c.Values) {
		field := fmt.Sprintf("values[%d]", i)
		if slices.ContainsFunc(c.Values[:i], func(o api.ValueVersion) bool { return o.Value == v.Value }) {
			b.problem(field+".value", fmt.Sprintf("value %q has a version already", v.Value), "remove one of the two")
			continue
		}
		to = b.equal(at, v.Value.String(), b.decide(field+".version", v.Version), to)
	}
	return to
}

func (b *Builder) equal(at spec.Attribute, text string, yes, no Target) Target {
	return b.If(&condition.Test{Kind: spec.TestEqual, Attribute: at, Text: text}, yes, no)
}

// share gives each version its part of the slots, in order; no gets requests that
// have no slot.
func (b *Builder) share(at spec.Attribute, salt, list string, entries []api.SplitEntry, no Target) Target {
	to, total := no, int64(0)
	for i, e := range entries {
		if slices.ContainsFunc(entries[:i], func(o api.SplitEntry) bool { return o.Version == e.Version }) {
			b.problem(fmt.Sprintf("%s[%d].version", list, i), fmt.Sprintf("version %q has a share already", e.Version), "add the two weights up")
		}
		total += int64(e.Weight.Hundredths())
	}
	if total != api.WholeWeight && len(entries) > 0 {
		b.problem(list, fmt.Sprintf("weights add up to %s, not to 100", api.FormatHundredths(total)), "weights are percent")
		return no
	}
	end := total
	for i, e := range slices.Backward(entries) {
		yes := b.decide(fmt.Sprintf("%s[%d].version", list, i), e.Version)
		start := end - int64(e.Weight.Hundredths())
		if start == end {
			b.problem(fmt.Sprintf("%s[%d].weight", list, i), "no request gets a share of 0", "remove it, or give it a weight")
			continue
		}
		if at == user && end == api.WholeWeight {
			to = yes // every request has a slot
		} else {
			to = b.If(slots(at, salt, api.WholeWeight, 0, end), yes, to)
		}
		end = start
	}
	return to
}

// slots tests whether a slot is in a range, the end not included.
func slots(at spec.Attribute, salt string, of int32, start, end int64) *condition.Test {
	return &condition.Test{Kind: spec.TestSlot, Attribute: at, Text: salt, Modulus: of, Low: start, High: end - 1}
}

// weight is a split inside the tree.
type weight struct{}

func (weight) Build(b *Builder, c *api.WeightStrategy) Target {
	return b.share(user, b.salt, "versions", c.Versions, b.next)
}

// userHash takes the first slots.
type userHash struct{}

func (userHash) Build(b *Builder, c *api.UserHashStrategy) Target {
	of, salt := 100, b.salt
	if c.Of != nil {
		of = *c.Of
	}
	if c.Salt != nil {
		salt = *c.Salt
	}
	to := b.decide("version", c.Version)
	switch {
	case of < 1 || of > spec.MaxModulus:
		b.problem("of", fmt.Sprintf("%d is not from 1 to %d", of, spec.MaxModulus), "")
	case c.Below < 1 || c.Below > of:
		b.problem("below", fmt.Sprintf("%d is not from 1 to %d, the number of slots", c.Below, of), "")
	case len(salt) > spec.MaxSaltBytes:
		b.problem("salt", fmt.Sprintf("it has more than %d bytes", spec.MaxSaltBytes), "")
	default:
		return b.If(slots(user, salt, int32(of), 0, int64(c.Below)), to, b.next)
	}
	return b.next
}

// colour compares the colour of a call chain with values.
type colour struct{}

func (colour) Build(b *Builder, c *api.ColourStrategy) Target {
	at := spec.Attribute{Source: spec.FromColour, Name: condition.DefaultColour}
	if c.Name != nil {
		at.Name = c.Name.String()
	}
	if problem := condition.CheckName(at.Source, at.Name); problem != "" {
		b.problem("name", problem, "")
		return b.next
	}
	to := b.next
	for i, v := range slices.Backward(c.Versions) {
		field := fmt.Sprintf("versions[%d]", i)
		if slices.ContainsFunc(c.Versions[:i], func(o api.ColourVersion) bool { return o.Colour == v.Colour }) {
			b.problem(field+".colour", fmt.Sprintf("colour %q has a version already", v.Colour), "remove one of the two")
			continue
		}
		to = b.equal(at, v.Colour.String(), b.decide(field+".version", v.Version), to)
	}
	return to
}

// ab is an experiment.
type ab struct{}

func (ab) Build(b *Builder, c *api.ABStrategy) Target {
	at, salt := user, b.name
	if c.By != nil {
		by, err := condition.ParseText(*c.By)
		if err != nil {
			b.problem("by", err.Error(), "")
			return b.next
		}
		at = by
	}
	if c.Salt != nil {
		salt = *c.Salt
	}
	if len(salt) > spec.MaxSaltBytes {
		b.problem("salt", fmt.Sprintf("it has more than %d bytes", spec.MaxSaltBytes), "")
		return b.next
	}
	return b.share(at, salt, "arms", c.Arms, b.next)
}

// variant obeys the header that names a hardware variant.
type variant struct{}

func (variant) Build(b *Builder, c *api.VariantStrategy) Target {
	at := spec.Attribute{Source: spec.FromHeader, Name: condition.VariantHeader}
	type choice struct{ field, version string }
	var all []choice
	for _, v := range b.versions {
		all = append(all, choice{"", v})
	}
	if len(c.Versions) > 0 {
		all = nil
		for i, v := range c.Versions {
			field := fmt.Sprintf("versions[%d]", i)
			b.decide(field, v)
			if Variant(v.String()) == "" {
				b.problem(field, fmt.Sprintf("version %q names no hardware variant", v), "such as v1.2.0-cpu")
			}
			all = append(all, choice{field, v.String()})
		}
	}
	var seen []string
	var chosen []choice
	for _, v := range all {
		switch name := Variant(v.version); {
		case name == "":
		case slices.Contains(seen, name):
			if v.field != "" {
				b.problem(v.field, fmt.Sprintf("an earlier version has the variant %q already", name), "remove one of the two")
			}
		default:
			seen, chosen = append(seen, name), append(chosen, v)
		}
	}
	if len(seen) == 0 {
		b.problem("", "no version of the model names a hardware variant", "such as v1.2.0-cpu")
	}
	to := b.next
	for _, v := range slices.Backward(chosen) {
		to = b.equal(at, Variant(v.version), b.Leaf(v.field, v.version), to)
	}
	return to
}

var variantSyntax = regexp.MustCompile(`^v?[0-9]+(?:\.[0-9]+)*-([A-Za-z][A-Za-z0-9._-]*)$`)

// Variant is the hardware variant that a version's name ends in: cuda118 of
// v2.3.1-cuda118. It is empty if there is none.
func Variant(version string) string {
	match := variantSyntax.FindStringSubmatch(version)
	if match == nil {
		return ""
	}
	return strings.ToLower(match[1])
}
