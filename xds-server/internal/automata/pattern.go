package automata

import (
	"fmt"
	"regexp/syntax"
	"unicode/utf8"
)

// addPattern adds the pattern of an entry.
func (g *graph) addPattern(i int, e Entry) error {
	flags := syntax.Perl
	if !e.CaseSensitive {
		flags |= syntax.FoldCase
	}
	re, err := syntax.Parse(e.Pattern, flags)
	if err != nil {
		return &Error{i, "pattern", err.Error(), "write a regular expression in the syntax of RE2"}
	}
	if problem, fix := check(re); problem != "" {
		return &Error{i, "pattern", problem, fix}
	}
	switch n := longest(re); {
	case n > MaxChars:
		return &Error{i, "pattern", fmt.Sprintf("matches texts of up to %d characters, more than %d", n, MaxChars), "make ranges of repetitions narrower"}
	case n < 0:
		return &Error{i, "pattern", "matches nothing", "remove it"}
	}
	if shortest(re) == 0 {
		return &Error{i, "pattern", "matches the empty text", "ask for at least one character"}
	}
	end, err := g.pattern(re, g.behind(0))
	if err != nil {
		return &Error{i, "pattern", err.Error(), "make ranges of repetitions narrower, or split it"}
	}
	g.nodes[end].accepts |= 1 << i
	return nil
}

// check refuses what the filter's tables cannot do.
func check(re *syntax.Regexp) (problem, fix string) {
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus:
		return fmt.Sprintf("%q has no longest match", re), "say how often at most, as {1,20}"
	case syntax.OpRepeat:
		if re.Max < 0 {
			return fmt.Sprintf("%q has no longest match", re), "say how often at most, as {1,20}"
		}
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return fmt.Sprintf("%q looks at what stands beside a match", re), "leave it out: unless partOfWord is set, a match is whole words"
	}
	for _, sub := range re.Sub {
		if problem, fix = check(sub); problem != "" {
			return problem, fix
		}
	}
	return "", ""
}

// longest returns how many characters a match has at most, -1 if nothing matches.
func longest(re *syntax.Regexp) int {
	n := 0
	switch re.Op {
	case syntax.OpNoMatch:
		return -1
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass:
		if len(re.Rune) == 0 {
			return -1
		}
		return 1
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpAlternate:
		n = -1
		for _, sub := range re.Sub {
			n = max(n, longest(sub))
		}
	case syntax.OpRepeat:
		return max(longest(re.Sub[0]), 0) * re.Max
	default: // one after the other, or what stands in parentheses
		for _, sub := range re.Sub {
			m := longest(sub)
			if m < 0 && re.Op != syntax.OpQuest {
				return -1
			}
			n += max(m, 0)
		}
	}
	return n
}

// shortest returns how many characters a match has at least.
func shortest(re *syntax.Regexp) int {
	n := 0
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpQuest:
		return 0
	case syntax.OpAlternate:
		n = shortest(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			n = min(n, shortest(sub))
		}
	case syntax.OpRepeat:
		return shortest(re.Sub[0]) * re.Min
	default:
		for _, sub := range re.Sub {
			n += shortest(sub)
		}
	}
	return n
}

// pattern adds what matches behind a node and returns the node behind that. Nothing else
// leads on from the node.
func (g *graph) pattern(re *syntax.Regexp, from int32) (end int32, err error) {
	if len(g.nodes) > maxNodes/8 {
		return from, errNodes
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, c := range fold(string(re.Rune)) {
			from = g.one(from, ranges(c, re.Flags&syntax.FoldCase != 0))
		}
		return from, nil
	case syntax.OpCharClass:
		return g.one(from, re.Rune), nil
	case syntax.OpAnyChar:
		return g.one(from, []rune{0, utf8.MaxRune}), nil
	case syntax.OpAnyCharNotNL:
		return g.one(from, []rune{0, '\n' - 1, '\n' + 1, utf8.MaxRune}), nil
	case syntax.OpAlternate:
		return g.either(re.Sub, from, false)
	case syntax.OpQuest:
		return g.either(re.Sub, from, true)
	case syntax.OpRepeat:
		for n := range re.Max {
			if from, err = g.either(re.Sub, from, n >= re.Min); err != nil {
				return from, err
			}
		}
		return from, nil
	}
	for _, sub := range re.Sub { // OpConcat, OpCapture, OpEmptyMatch
		if from, err = g.pattern(sub, from); err != nil {
			return from, err
		}
	}
	return from, nil
}

// either adds alternatives, nothing among them if it is optional.
func (g *graph) either(subs []*syntax.Regexp, from int32, optional bool) (int32, error) {
	end := g.add()
	if optional {
		g.nodes[from].same = append(g.nodes[from].same, end)
	}
	for _, sub := range subs {
		last, err := g.pattern(sub, g.behind(from))
		if err != nil {
			return from, err
		}
		g.nodes[last].same = append(g.nodes[last].same, end)
	}
	return end, nil
}

// behind returns a new node that stands for another one as well.
func (g *graph) behind(from int32) int32 {
	next := g.add()
	g.nodes[from].same = append(g.nodes[from].same, next)
	return next
}

// one adds one character of any of the ranges, each from a first to a last one.
func (g *graph) one(from int32, ranges []rune) int32 {
	next := g.add()
	for i := 0; i+1 < len(ranges); i += 2 {
		g.chars(from, next, ranges[i], ranges[i+1])
	}
	return next
}

// ranges are those of one character, in all its cases if any will do.
func ranges(char rune, anyCase bool) (all []rune) {
	if !anyCase {
		return []rune{char, char}
	}
	for _, c := range spellings(char) {
		all = append(all, c, c)
	}
	return all
}
