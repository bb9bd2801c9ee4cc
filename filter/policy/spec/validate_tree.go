package spec

func (v *validator) attributes(all []Attribute) {
	v.each("attributes", len(all), MaxAttributes, func(i int) {
		a := &all[i]
		named := a.Source < FromTenant
		switch {
		case a.Source > FromPeer:
			v.fail("has no such value")
		case named != (a.Name != "") || !validText(a.Name, MaxAttributeBytes):
			v.fail("needs a name of at most " + decimal(MaxAttributeBytes) + " bytes; tenant, user and peer need none")
		case a.Source == FromHeader && !validHeader(a.Name), a.Source == FromColour && !validHeader("x-"+a.Name):
			v.fail(quote(a.Name) + " is no header name")
		case a.Source == FromClaim && len(ClaimPath(a.Name)) == 0:
			v.fail(quote(a.Name) + " is no path to a claim")
		case i > 0 && all[i-1].Compare(*a) >= 0:
			v.fail("attributes are sorted by source and name, each once")
		}
	})
}

func (v *validator) trees(trees []Tree) {
	v.each("trees", len(trees), MaxTrees, func(i int) {
		t := &trees[i]
		m := v.reference(t.Model)
		switch {
		case m < 0:
		case i > 0 && trees[i-1].Model >= t.Model:
			v.fail("trees are sorted by model, one each")
		default:
			v.tree(t, len(v.doc.Models[m].Versions))
		}
	})
}

func (v *validator) tree(t *Tree, versions int) {
	header := func(i int) bool { return i < len(v.doc.Attributes) && v.doc.Attributes[i].Source == FromHeader }
	switch {
	case t.Sticky < -1 || t.Sticky >= 0 && !header(t.Sticky):
		v.fail("its sticky header is none of the attributes")
	case len(t.Leaves) == 0 || len(t.Leaves) > MaxTreeLeaves || len(t.Nodes) > MaxTreeNodes || len(t.Texts) > MaxTreeTexts:
		v.fail("has no leaf or too many leaves, nodes or texts")
	}
	for _, text := range t.Texts {
		if !validText(text, MaxValueBytes) {
			v.fail("a text must be at most " + decimal(MaxValueBytes) + " bytes without control characters")
		}
	}
	for _, l := range t.Leaves {
		if l.Version < -1 || l.Version >= versions || l.Name < 0 || l.Name >= len(t.Texts) {
			v.fail("a leaf has a version or a name that there is not")
		}
	}
	for i := range t.Nodes {
		if !v.goodNode(t, i) {
			v.fail("node " + decimal(int64(i)) + " is out of its bounds")
		}
	}
}

// goodNode says whether a walk may come to node i: it ends, and reads only what
// there is.
func (v *validator) goodNode(t *Tree, i int) bool {
	n := &t.Nodes[i]
	forward := func(to int16) bool {
		return int(to) > i && int(to) < len(t.Nodes) || to < 0 && -1-int(to) < len(t.Leaves)
	}
	if n.Low < -MaxTreeNumber || n.High > MaxTreeNumber || n.Low > n.High || n.Test > TestWeekday || !forward(n.Yes) || !forward(n.No) {
		return false
	}
	if n.Test <= TestSlot && int(n.Attribute) >= len(v.doc.Attributes) {
		return false
	}
	switch n.Test {
	case TestEqual, TestPrefix:
		return int(n.Text) < len(t.Texts)
	case TestModulo:
		return n.Modulus > 0 && n.Modulus <= MaxModulus
	case TestSlot:
		return int(n.Text) < len(t.Texts) && n.Modulus > 0 && n.Modulus <= MaxModulus
	case TestMinute, TestWeekday:
		const day = 24 * 60
		return n.Modulus > -day && n.Modulus < day
	}
	return true
}
