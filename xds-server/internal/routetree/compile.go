package routetree

import (
	"fmt"
	"slices"

	"github.com/weirmesh/weir/filter/policy/spec"
	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/condition"
)

// Route is what is compiled.
type Route struct {
	Spec     *api.ModelRouteSpec
	Versions []string // of the model
	Salt     string   // of the split
}

// InTree says whether the rules of a route are a part of its tree. Rules that only
// compare headers need none.
func InTree(route *api.ModelRouteSpec) bool {
	return slices.ContainsFunc(route.Rules, func(r api.RouteRule) bool { return r.Condition != nil || r.Weight != nil || r.Target != nil })
}

// Compile makes the tree of a route, nil if it needs none. What is wrong is
// reported; then the tree is good for nothing.
func (r *Registry) Compile(route Route, report Report) *Tree {
	inTree := InTree(route.Spec)
	if !inTree && len(route.Spec.Policy) == 0 && route.Spec.StickyHeader == nil {
		return nil
	}
	if r.broken != nil {
		report("spec.policy", r.broken.Error(), "")
		return nil
	}
	wrong := false
	b := &Builder{versions: route.Versions, salt: route.Salt, names: make(map[string]bool)}
	b.report = func(field, message, hint string) {
		wrong = true
		report(field, message, hint)
	}
	rest := "spec.split"
	if route.Spec.Version != nil {
		rest = "spec.version"
	}
	b.field = rest
	entry := b.Leaf("", "")
	c := &compiler{registry: r, builder: b}
	entry = c.steps("spec.policy", route.Spec.Policy, entry)
	if inTree {
		entry = c.rules(route.Spec, entry)
	}
	sticky := ""
	if route.Spec.StickyHeader != nil {
		sticky = route.Spec.StickyHeader.String()
	}
	t := b.finish(entry, sticky)
	if wrong || b.tooLarge(t, "spec") {
		return t
	}
	t.Total = b.unreachable(entry, rest)
	return t
}

// unreachable reports what no request comes to, and says whether the tree decides
// for every one.
func (b *Builder) unreachable(entry Target, rest string) (total bool) {
	reached := b.check(entry)
	alive := make(map[string]bool)
	total = true
	for i := range b.leaves {
		if reached[i] {
			alive[b.leaves[i].field] = true
			total = total && b.leaves[i].version != ""
		}
	}
	for _, l := range b.leaves {
		if !alive[l.field] && l.field != rest {
			alive[l.field] = true // say it once
			b.report(l.field, "no request can come to this: what stands before it, or its own condition, leaves none", "remove it, or mend the condition")
		}
	}
	return total
}

type compiler struct {
	registry *Registry
	builder  *Builder
}

// name takes the name of a rule or step.
func (c *compiler) name(field, name string) {
	if c.builder.names[name] {
		c.builder.report(field, fmt.Sprintf("the name %q is used twice in the route", name), "rename one of the two")
	}
	c.builder.names[name] = true
}

// steps builds a list of steps, the last first: each leads on to the one behind it.
func (c *compiler) steps(field string, steps []api.RouteStep, next Target) Target {
	for i := range steps {
		c.name(fmt.Sprintf("%s[%d].name", field, i), steps[i].Name.String())
	}
	for i := range slices.Backward(steps) {
		next = c.step(fmt.Sprintf("%s[%d]", field, i), &steps[i], next)
	}
	return next
}

func (c *compiler) step(field string, step *api.RouteStep, next Target) Target {
	b := c.builder
	var body Target
	var ways []string
	if len(step.Then) > 0 {
		body, ways = c.steps(field+".then", step.Then, next), append(ways, "then")
	}
	for _, e := range c.registry.entries {
		build := e.build(step)
		if build == nil {
			continue
		}
		b.field, b.name, b.next = field+"."+e.name, step.Name.String(), next
		body, ways = build(b), append(ways, e.name)
	}
	switch {
	case len(ways) == 0:
		b.report(field, "the step decides nothing", fmt.Sprintf("give it one of then, %v", c.registry.Names()))
	case len(ways) > 1:
		b.report(field, fmt.Sprintf("the step decides in %d ways: %v", len(ways), ways), "make it one step each")
	}
	if step.When == nil {
		return body
	}
	when, _ := b.condition(field+".when", *step.When)
	return b.If(when, body, next)
}

// rules builds the rules. Those without a condition share one range of users: each
// takes the next part of it.
func (c *compiler) rules(route *api.ModelRouteSpec, next Target) Target {
	b := c.builder
	start, total := make([]int64, len(route.Rules)), int64(0)
	for i, r := range route.Rules {
		start[i] = total
		if r.Condition == nil && r.Match == nil && r.Weight != nil {
			total += int64(r.Weight.Hundredths())
		}
		name := fmt.Sprintf("rule-%d", i+1)
		if r.Name != nil {
			name = r.Name.String()
		}
		c.name(fmt.Sprintf("spec.rules[%d].name", i), name)
	}
	rest := route.Version != nil || len(route.Split) > 0 || len(route.Policy) > 0
	if total > api.WholeWeight || total > 0 && total < api.WholeWeight && !rest {
		b.report("spec.rules", fmt.Sprintf("the weights of the rules without a condition add up to %s, not to 1", fraction(total)),
			"a version or a split takes what they leave")
		return next
	}
	for i := range slices.Backward(route.Rules) {
		next = c.rule(i, &route.Rules[i], start[i], next)
	}
	return next
}

func (c *compiler) rule(i int, r *api.RouteRule, start int64, next Target) Target {
	b := c.builder
	b.field, b.next = fmt.Sprintf("spec.rules[%d]", i), next
	b.name = fmt.Sprintf("rule-%d", i+1)
	if r.Name != nil {
		b.name = r.Name.String()
	}
	if r.Match != nil {
		if r.Version == nil || r.Condition != nil || r.Weight != nil || r.Target != nil {
			b.problem("match", "a rule with match has a version and nothing else", "a rule with a condition or a weight has a target")
			return next
		}
		at := spec.Attribute{Source: spec.FromHeader, Name: r.Match.Header.String()}
		return b.equal(at, r.Match.Value.String(), b.decide("version", *r.Version), next)
	}
	if r.Version != nil || r.Target == nil || r.Condition == nil && r.Weight == nil {
		b.problem("", "a rule has match and version, or target with a condition, a weight or both", "")
		return next
	}
	to := b.decide("target", *r.Target)
	var x condition.Expr = condition.Constant(true)
	if r.Condition != nil {
		var ok bool
		if x, ok = b.condition(b.field+".condition", *r.Condition); !ok {
			return next
		}
	}
	if r.Weight != nil {
		x = b.weigh(x, r, start)
	}
	return b.If(x, to, next)
}

// weigh joins a rule's condition with its weight. Both may say what share of the
// users is meant; then they have to agree.
func (b *Builder) weigh(x condition.Expr, r *api.RouteRule, start int64) condition.Expr {
	weight := int64(r.Weight.Hundredths())
	if weight == 0 {
		b.problem("weight", "a weight of 0 takes no request", "remove the rule, or give it a weight")
		return x
	}
	if own := b.ownShare(x); own != nil {
		if (own.High+1)*api.WholeWeight != weight*int64(own.Modulus) {
			b.problem("weight", fmt.Sprintf("the condition takes %d of %d slots of the users, the weight says %s of them",
				own.High+1, own.Modulus, fraction(weight)), "make both say the same, or remove one of the two")
		}
		return x
	}
	if start == 0 && weight == api.WholeWeight {
		return x
	}
	return condition.Both(x, slots(user, b.salt, api.WholeWeight, start, start+weight))
}

// ownShare finds in a condition the test that takes the first slots of the users:
// user.id % 100 < 10, alone or joined by && with others.
func (b *Builder) ownShare(x condition.Expr) *condition.Test {
	switch x := x.(type) {
	case *condition.And:
		if t := b.ownShare(x.X); t != nil {
			return t
		}
		return b.ownShare(x.Y)
	case *condition.Test:
		if x.Kind == spec.TestSlot && x.Attribute == user && x.Text == b.salt && x.Low == 0 {
			return x
		}
	}
	return nil
}

// fraction writes hundredths of a percent as a part of 1.
func fraction(hundredths int64) string {
	whole, rest := hundredths/api.WholeWeight, hundredths%api.WholeWeight
	if rest == 0 {
		return fmt.Sprint(whole)
	}
	text := fmt.Sprintf("%d.%04d", whole, rest)
	for text[len(text)-1] == '0' {
		text = text[:len(text)-1]
	}
	return text
}
