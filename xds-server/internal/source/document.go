// Package source says what a source of resources delivers: a complete set of
// documents, as bytes with a name. It imports nothing of this repository.
package source

// Document is one file, or what a source has instead of files, unread.
type Document struct {
	// Name is what a person would look for: a file's name.
	Name string
	// Data is the content.
	Data []byte
}
