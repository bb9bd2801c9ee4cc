package source

import (
	"path"

	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

// MaxListBytes bounds a list of words: 100,000 of them have 1 to 4 MB in most languages.
const MaxListBytes = 8 << 20

// ListExtension ends the names of documents that are lists of words. It is none that
// other files have: a list is kept with the configuration, and shown with it.
const ListExtension = ".words"

// IsList reports whether the document of a name is a list of words, which resources refer
// to. All other documents hold resources.
func IsList(name string) bool { return path.Ext(name) == ListExtension }

// Limit is how many bytes the document of a name may have.
func Limit(name string) int {
	if IsList(name) {
		return MaxListBytes
	}
	return strictyaml.MaxFileBytes
}
