package catalog

import (
	"cmp"
	"reflect"
	"strconv"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// key names a resource, or a file of the certificates folder.
type key struct{ kind, name string }

// String is Kind/name.
func (k key) String() string { return k.kind + "/" + k.name }

// certificateFile is the kind of the files of the certificates folder. No
// resource can have it.
const certificateFile = "certificate file"

// place is a source document as far as the order of what it holds needs it.
type place struct {
	name  string // as the source gave it
	order int    // among the documents of the newest set
}

// unit is one resource as it was written. It is never changed: another content,
// or the same one elsewhere, is another unit.
type unit struct {
	key
	doc   *strictyaml.Document // released; nil: it is none of a resource
	value any                  // a pointer to a Resource of the key's kind or to a list, or a file's content as []byte
	text  string               // of the document
	place *place
	index int // among the parts of the place
}

// broken reports whether parts of the resource could not be read, so that what
// others expect of it may be in those parts.
func (u *unit) broken() bool { return u.doc != nil && len(u.doc.Problems()) > 0 }

// origin is "document:line", or the name of a file that holds no resources.
func (u *unit) origin() string {
	if u.doc == nil {
		return u.file()
	}
	return u.doc.File() + ":" + strconv.Itoa(u.doc.Start().Line)
}

// file is the document that it was written in, for people, or the name of a certificate file.
func (u *unit) file() string {
	if l, is := u.value.(*list); is {
		return l.where
	}
	if u.doc == nil {
		return u.name
	}
	return u.doc.File()
}

// says reports whether two units say the same, wherever they are written. Either
// may be nil.
func (u *unit) says(other *unit) bool {
	if u == nil || other == nil {
		return u == other
	}
	if u.kind == certificateFile {
		return reflect.DeepEqual(u.value, other.value)
	}
	return u.text == other.text
}

// compare orders units as they are written.
func (u *unit) compare(other *unit) int {
	return cmp.Or(cmp.Compare(u.place.order, other.place.order), cmp.Compare(u.place.name, other.place.name), cmp.Compare(u.index, other.index))
}

// entry is a unit of a kind that is known.
type entry[T any] struct {
	*unit
	value *T
}

// as is u as an entry of its kind; of nil, or another kind, one without a unit
// and with an empty value.
func as[T any](u *unit) entry[T] {
	if u != nil {
		if value, is := u.value.(*T); is {
			return entry[T]{u, value}
		}
	}
	return entry[T]{value: new(T)}
}

// newValue is an empty resource of a kind; nil: there is no such kind.
func newValue(kind string) any {
	switch kind {
	case api.KindGateway:
		return &api.Gateway{}
	case api.KindModel:
		return &api.Model{}
	case api.KindModelRoute:
		return &api.ModelRoute{}
	case api.KindTokenLimit:
		return &api.TokenLimit{}
	case api.KindRedactionPolicy:
		return &api.RedactionPolicy{}
	case api.KindTrustDomain:
		return &api.TrustDomain{}
	default:
		return nil
	}
}
