package spec

// PathStep is one step from a JSON value into it.
type PathStep struct {
	Key   string // of a member; empty for an item of a list and for any member
	Index int    // of an item; AnyItem, or NoItem for a member
}

// Indices that are none.
const (
	NoItem  = -1 // the step is to a member
	AnyItem = -2 // the step is to every item
)

// MaxPathSteps is how many steps a path may have.
const MaxPathSteps = 16

// JSONPath reads a path to values in a JSON text, as messages[*].content[0].text:
// names of members with dots between them, * for any member, [*] for any item and [2]
// for the third. A dot, a bracket, a star or a backslash that belongs to a name is
// written with a backslash before it. The problem is empty if there is none.
func JSONPath(text string) (steps []PathStep, problem string) {
	p := pathReader{text: text}
	for p.problem == "" && (p.at < len(text) || len(p.steps) == 0) {
		p.step()
	}
	return p.steps, p.problem
}

// pathReader reads the steps of a path.
type pathReader struct {
	text    string
	at      int
	steps   []PathStep
	problem string
}

// step reads the next step.
func (p *pathReader) step() {
	switch {
	case len(p.text) > MaxPathBytes:
		p.problem = "it has more than " + decimal(MaxPathBytes) + " bytes"
	case len(p.steps) == MaxPathSteps:
		p.problem = "it has more than " + decimal(MaxPathSteps) + " steps"
	case p.at < len(p.text) && p.text[p.at] == '[':
		p.item()
	default:
		if len(p.steps) > 0 {
			if p.text[p.at] != '.' {
				p.problem = "a dot or a bracket must follow the bracket"
				return
			}
			p.at++
		}
		p.member()
	}
}

// member reads a name or a star.
func (p *pathReader) member() {
	start := p.at
	name := make([]byte, 0, len(p.text)-p.at)
	for ; p.at < len(p.text) && !contains(".[", p.text[p.at]); p.at++ {
		c := p.text[p.at]
		if c == '\\' && p.at+1 < len(p.text) && contains(`.[]*\`, p.text[p.at+1]) {
			p.at++
			c = p.text[p.at]
		} else if contains(`]*\`, c) && p.text[start:] != "*" && !hasPrefix(p.text[start:], "*.") && !hasPrefix(p.text[start:], "*[") {
			p.problem = "a " + quote(string(c)) + " of a name needs a backslash before it"
			return
		}
		name = append(name, c)
	}
	switch {
	case p.at == start:
		p.problem = "a name is missing"
	case p.text[start:p.at] == "*":
		p.steps = append(p.steps, PathStep{Index: NoItem})
	default:
		p.steps = append(p.steps, PathStep{Key: string(name), Index: NoItem})
	}
}

// item reads [*] or a number in brackets.
func (p *pathReader) item() {
	p.at++
	start, n := p.at, 0
	for p.at < len(p.text) && p.text[p.at]-'0' < 10 && n < 1<<20 {
		n = n*10 + int(p.text[p.at]-'0')
		p.at++
	}
	if p.at == start {
		n = AnyItem
		if p.at < len(p.text) && p.text[p.at] == '*' {
			p.at++
		}
	}
	if p.at == start || p.at == len(p.text) || p.text[p.at] != ']' {
		p.problem = "brackets hold * or a number, as in messages[*].content"
		return
	}
	p.at++
	p.steps = append(p.steps, PathStep{Index: n})
}
