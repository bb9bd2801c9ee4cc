package catalog

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// file is a source document that was read.
type file struct {
	place    *place
	where    string
	data     []byte
	units    []*unit // in the order of the text
	lost     []lost
	problems []Problem // of what could not be read as a resource; see unit.doc for those of resources
}

// lost is a document of a file that could not be read as a resource.
type lost struct {
	text   string
	policy bool // what can be read of it looks like a policy
}

// faulty reports whether there are any problems in it.
func (f *file) faulty() bool {
	return len(f.problems) > 0 || slices.ContainsFunc(f.units, (*unit).broken)
}

// written is a set of documents as it was read, kept so that the next one costs
// what changed.
type written struct {
	files  map[string]*file
	order  []*file // as in the last set
	faulty map[string]*file
	// units are the definitions of each resource, as they are written; the first
	// counts, a second one is a problem.
	units map[key][]*unit
	twice map[key]bool
	certs map[string][]byte
}

func newWritten() *written {
	return &written{
		files: make(map[string]*file), faulty: make(map[string]*file),
		units: make(map[key][]*unit), twice: make(map[key]bool),
	}
}

// incomplete reports whether something could not be read at all, so that what is
// not found may be in it.
func (w *written) incomplete() bool {
	for _, f := range w.faulty {
		if len(f.problems) > 0 {
			return true
		}
	}
	return false
}

// first is the definition of a resource that counts; nil if there is none.
func (w *written) first(k key) *unit {
	if all := w.units[k]; len(all) > 0 {
		return all[0]
	}
	return nil
}

// read takes in a set and returns the resources that are not written as before.
func (w *written) read(set source.Set) map[key]bool {
	changed := make(map[key]bool)
	order := make([]*file, len(set.Documents))
	for i, document := range set.Documents {
		old := w.find(i, document.Name)
		if old != nil && old.where == document.Where() && bytes.Equal(old.data, document.Data) {
			order[i] = old
		} else {
			order[i] = readFile(document, old)
			w.replace(document.Name, old, order[i], changed)
		}
		order[i].place.order = i
	}
	w.order = order
	w.forget(set.Documents, changed)
	for k := range changed {
		slices.SortFunc(w.units[k], (*unit).compare)
		delete(w.twice, k)
		switch len(w.units[k]) {
		case 0:
			delete(w.units, k)
		case 1:
		default:
			w.twice[k] = true
		}
	}
	w.readCertificates(set.Certificates, changed)
	return changed
}

// find returns the file of a name, which mostly is where it was.
func (w *written) find(i int, name string) *file {
	if i < len(w.order) && w.order[i].place.name == name {
		return w.order[i]
	}
	return w.files[name]
}

// forget removes the files that are no longer there.
func (w *written) forget(documents []source.Document, changed map[key]bool) {
	if len(w.files) == len(documents) {
		return // names are unique, and all documents are in files
	}
	there := make(map[string]bool, len(documents))
	for _, document := range documents {
		there[document.Name] = true
	}
	for name, f := range w.files {
		if !there[name] {
			w.replace(name, f, nil, changed)
		}
	}
}

// replace puts next in the place of old; either may be nil.
func (w *written) replace(name string, old, next *file, changed map[key]bool) {
	if old != nil {
		for _, u := range old.units {
			w.units[u.key] = slices.DeleteFunc(slices.Clone(w.units[u.key]), func(other *unit) bool { return other == u })
			changed[u.key] = true
		}
	}
	delete(w.faulty, name)
	if next == nil {
		delete(w.files, name)
		return
	}
	w.files[name] = next
	if next.faulty() {
		w.faulty[name] = next
	}
	for _, u := range next.units {
		w.units[u.key] = append(w.units[u.key], u)
		changed[u.key] = true
	}
}

func (w *written) readCertificates(files map[string][]byte, changed map[key]bool) {
	for name, data := range files {
		if old, had := w.certs[name]; !had || !bytes.Equal(old, data) {
			changed[key{certificateFile, name}] = true
		}
	}
	for name := range w.certs {
		if _, has := files[name]; !has {
			changed[key{certificateFile, name}] = true
		}
	}
	w.certs = files
	for k := range changed {
		if k.kind != certificateFile {
			continue
		}
		delete(w.units, k)
		if data, has := files[k.name]; has {
			w.units[k] = []*unit{{key: k, value: data, place: &place{name: k.name}}}
		}
	}
}

// readFile reads a document. What its earlier version old, which may be nil, has
// in common with it is not read again.
func readFile(document source.Document, old *file) *file {
	if source.IsList(document.Name) {
		return readList(document, old)
	}
	f := &file{place: &place{name: document.Name}, where: document.Where(), data: document.Data}
	if old != nil {
		f.place = old.place // of units that stay
	}
	parts, problems := strictyaml.Split(f.where, document.Data)
	if len(problems) > 0 {
		f.problems = problems
		f.lost = append(f.lost, lost{policy: mentionsPolicy.Match(document.Data)})
		return f
	}
	known := make(map[string][]*unit)
	if old != nil {
		for _, u := range old.units {
			known[u.text] = append(known[u.text], u)
		}
	}
	for i, part := range parts {
		if body, marked := strings.CutPrefix(part.Text, "---\n"); marked { // the same resource with and without
			part.Text, part.Before = body, part.Before+1
		}
		if same := known[part.Text]; len(same) > 0 {
			known[part.Text] = same[1:]
			f.units = append(f.units, f.moved(same[0], i, part.Before))
			continue
		}
		part.Text = strings.Clone(part.Text) // else one resource would keep the text of the whole file
		f.readPart(i, part)
	}
	return f
}

// moved is a unit as it stands in f. One that stands where it stood is the same.
func (f *file) moved(u *unit, index, before int) *unit {
	if u.index == index && u.doc.StandsAt(f.where, before) {
		return u
	}
	next := *u
	next.doc, next.index = u.doc.Moved(f.where, before), index
	return &next
}

// readPart reads one document of the file.
func (f *file) readPart(index int, part strictyaml.Part) {
	doc, problems := part.Parse(f.where)
	if len(problems) > 0 {
		f.lose(part.Text, problems...)
		return
	}
	if doc == nil {
		return
	}
	kind, _ := doc.Text("kind")
	name, _ := doc.Text("metadata", "name")
	if kind != "" && name != "" {
		doc.Name(kind + "/" + name)
	}
	value := newValue(kind)
	if value == nil {
		f.lose(part.Text, unknownKind(doc, kind))
		return
	}
	doc.Decode(value)
	if name == "" { // it may be what others refer to
		f.lose(part.Text, doc.Problems()...)
		return
	}
	doc.Release()
	f.units = append(f.units, &unit{key: key{kind, name}, doc: doc, value: value, text: part.Text, place: f.place, index: index})
}

func (f *file) lose(text string, problems ...Problem) {
	f.problems = append(f.problems, problems...)
	f.lost = append(f.lost, lost{text: text, policy: mentionsPolicy.MatchString(text)})
}

// mentionsPolicy finds in what cannot be read that a policy was meant.
var mentionsPolicy = regexp.MustCompile(`(?m)^["']?kind["']?\s*:\s*["']?(` + api.KindRedactionPolicy + `|` + api.KindTokenLimit + `)\b`)

func unknownKind(doc *strictyaml.Document, kind string) Problem {
	message := "field is missing, or is not a string"
	if kind != "" {
		message = fmt.Sprintf("%q is not a kind of resource", kind)
	}
	return doc.At("kind", message, strictyaml.DidYouMean(kind, api.Kinds()))
}
