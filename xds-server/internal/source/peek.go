package source

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// definition is where one resource stands in a document.
type definition struct {
	resource string // Kind/name
	// from and to are lines, counted from 1: to is the first that is not of it.
	from, to int
}

// at is where it stands, for people.
func (d definition) at(in Document) string { return fmt.Sprintf("%s:%d", in.Where(), d.from) }

// definitions finds the resources of a document that have a kind and a name.
// ok is false if the document cannot be read.
func definitions(d Document) (found []definition, ok bool) {
	if IsList(d.Name) {
		return nil, true
	}
	documents, problems := strictyaml.Parse(d.Where(), d.Data)
	if len(problems) > 0 {
		return nil, false
	}
	marked, after := markers(d.Data), bytes.Count(d.Data, []byte("\n"))+2
	for i, document := range documents {
		from, to := document.Position("").Line, after
		if next, _ := slices.BinarySearch(marked, from+1); next < len(marked) {
			to = marked[next]
		}
		if i+1 < len(documents) { // "..." ends a document without a marker
			to = min(to, documents[i+1].Position("").Line)
		}
		kind, _ := document.Text("kind")
		name, _ := document.Text("metadata", "name")
		if kind != "" && name != "" {
			found = append(found, definition{resource: kind + "/" + name, from: from, to: to})
		}
	}
	return found, true
}

// markers are the numbers of the lines that begin a YAML document.
func markers(data []byte) []int {
	var lines []int
	number := 0
	for line := range bytes.Lines(data) {
		number++
		rest, ok := bytes.CutPrefix(line, []byte("---"))
		if ok && (len(rest) == 0 || strings.IndexByte(" \t\r\n", rest[0]) >= 0) {
			lines = append(lines, number)
		}
	}
	return lines
}

// without empties the lines of definitions, which are in order. Line numbers stay.
func without(data []byte, gone []definition) []byte {
	kept := make([]byte, 0, len(data))
	number := 0
	for line := range bytes.Lines(data) {
		number++
		for len(gone) > 0 && number >= gone[0].to {
			gone = gone[1:]
		}
		if len(gone) > 0 && number >= gone[0].from {
			line = line[len(bytes.TrimRight(line, "\r\n")):]
		}
		kept = append(kept, line...)
	}
	return kept
}
