// Package paths says for each value of a JSON text, while it is read, what rules say
// of the place where it stands.
//
// A path names a place from the root on: members by their names, behind a dot but for
// the first, and the items of a list as [*], as in messages[*].content. A rule covers
// the value there and, if that is an object or a list, all values in it for which no
// rule deeper down says something else. Names are compared as the text means them,
// however they are spelled, and in their case. A name with a dot or a bracket in it
// cannot be named.
//
// A Set is a trie, so that following a text costs the comparison of each key with those
// that rules have at its place, and nothing where no rule goes on.
package paths

// Mark is what a rule says of a place; the numbers are the caller's own. 0 is none.
type Mark uint8

// Alone is added to the mark of a rule that covers the value at its place, if that is a
// string or scalar, and nothing in it. Tracker.Mark never has it.
const Alone Mark = 0x80

// Rule marks a place.
type Rule struct {
	Path string
	Mark Mark
}

// Bounds of paths.
const (
	MaxSteps = 16 // names and [*] in one path
	MaxName  = 64 // bytes of a name
)

// Error is what is wrong with a path.
type Error uint8

// What is wrong with a path.
const (
	ErrEmpty Error = iota + 1 // it has no step
	ErrName                   // a name is missing, or longer than MaxName bytes
	ErrItem                   // brackets that are not [*]
	ErrSteps                  // more than MaxSteps steps
)

var problems = [...]string{
	"", "is empty", "has a name that is missing or longer than 64 bytes",
	"has a bracket that does not belong to [*]", "has more than 16 steps",
}

// Error says the problem as the end of a sentence about the path.
func (e Error) Error() string { return problems[e] }
