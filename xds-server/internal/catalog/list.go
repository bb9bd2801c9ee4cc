package catalog

import (
	"fmt"
	"strings"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
	"github.com/weirmesh/weir/xds-server/internal/wordlist"
)

// listOfWords is the kind of lists of words, by the name of their document. No resource
// can have it.
const listOfWords = "list of words"

// list is a list of words that was read.
type list struct {
	where    string // for people
	words    []string
	mistakes []wordlist.Mistake
}

// readList reads a document that is a list of words. What is wrong with it is told where
// a policy uses it.
func readList(document source.Document, old *file) *file {
	f := &file{place: &place{name: document.Name}, where: document.Where(), data: document.Data}
	if old != nil {
		f.place = old.place
	}
	u := &unit{key: key{listOfWords, document.Name}, place: f.place, text: string(document.Data)}
	u.value = parseList(f.where, u.text)
	f.units = []*unit{u}
	return f
}

func parseList(where, text string) *list {
	l := &list{where: where}
	if len(text) > source.MaxListBytes {
		problem := fmt.Sprintf("the file has more than the limit of %d bytes", source.MaxListBytes)
		l.mistakes = []wordlist.Mistake{{Line: 1, Problem: problem, Fix: "split it into several, and name them all"}}
		return l
	}
	l.words, l.mistakes = wordlist.Parse(text)
	return l
}

// listKey names a list that stands beside a policy.
func listKey(u *unit, name api.ListName) key {
	return key{listOfWords, u.place.name[:strings.LastIndexByte(u.place.name, '/')+1] + name.String()}
}

// list returns the words of a list that a policy names, which stands beside it.
func (c *checker) list(u *unit, field string, name api.ListName) []string {
	k := listKey(u, name)
	var l *list
	if held := c.get(k); held != nil {
		l, _ = held.value.(*list)
	}
	if l == nil {
		c.at(u, field, fmt.Sprintf("there is no list of words %q", k.name), "put the file beside that of this policy", k)
		return nil
	}
	for _, m := range l.mistakes {
		problem := Problem{File: l.where, Position: strictyaml.Position{Line: m.Line, Column: 1}, Resource: u.String(), Message: m.Problem, Hint: m.Fix}
		c.issues = append(c.issues, issue{Problem: problem, about: k, involves: []key{u.key}})
	}
	return l.words
}
