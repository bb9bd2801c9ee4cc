package api

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/weirmesh/weir/filter/policy/paths"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// EntityKind is a kind of personal data.
type EntityKind struct{ spec.EntityKind }

// ParseString reads the name of a kind, such as phone or residentID.
func (k *EntityKind) ParseString(text string) (err error) {
	k.EntityKind, err = spec.ParseEntityKind(text)
	return err
}

// RedactionMode is what replaces a value.
type RedactionMode struct{ spec.RedactionMode }

// ParseString reads mask, tag, hmac, format, drop, token, block or detect.
func (m *RedactionMode) ParseString(text string) (err error) {
	m.RedactionMode, err = spec.ParseRedactionMode(text)
	return err
}

// Direction is a way that bytes go.
type Direction struct{ spec.Direction }

// ParseString reads request or response.
func (d *Direction) ParseString(text string) (err error) {
	d.Direction, err = spec.ParseDirection(text)
	return err
}

// MaskShape is what a mask leaves of a value.
type MaskShape struct{ spec.MaskShape }

// ParseString reads usual, article, lastFour or full.
func (s *MaskShape) ParseString(text string) (err error) {
	s.MaskShape, err = spec.ParseMaskShape(text)
	return err
}

// Encodings is what becomes of bodies in a content coding: identity removes
// accept-encoding from requests, refuse refuses such answers, decompress has Envoy
// decompress requests and answers.
type Encodings struct{ spec.Encodings }

// ParseString reads identity, refuse or decompress.
func (e *Encodings) ParseString(text string) (err error) {
	e.Encodings, err = spec.ParseEncodings(text)
	return err
}

// JSONPath names values in a JSON text, see package paths.
type JSONPath struct{ text string }

// ParseString reads a path such as messages[*].content.
func (p *JSONPath) ParseString(text string) error {
	if err := paths.Check(text); err != nil {
		return fmt.Errorf("%q %w (write a path as messages[*].content)", text, err)
	}
	p.text = text
	return nil
}

// String is the path as it was written.
func (p JSONPath) String() string { return p.text }

// Basis is the legal basis of a rule, in the words of its author.
type Basis struct{ text string }

// ParseString reads 1 to 64 bytes of text without control characters.
func (b *Basis) ParseString(text string) error {
	if strings.TrimSpace(text) == "" || len(text) > spec.MaxBasisBytes || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7F }) {
		return fmt.Errorf("%q is no basis: write 1 to %d bytes without control characters, as GDPR Art. 32", text, spec.MaxBasisBytes)
	}
	b.text = text
	return nil
}

// String is the text.
func (b Basis) String() string { return b.text }

// CustomName names words and patterns of one's own in their tag.
type CustomName struct{ text string }

// ParseString reads 1 to 32 letters, digits, - and _, first a letter or digit.
func (n *CustomName) ParseString(text string) error {
	if !customName.MatchString(text) {
		return fmt.Errorf("%q is no name: write 1 to %d letters, digits, - and _, first a letter or digit", text, spec.MaxCustomName)
	}
	n.text = text
	return nil
}

// String is the name.
func (n CustomName) String() string { return n.text }

// ListName names a list of words: a file beside the one that names it.
type ListName struct{ text string }

// ParseString reads the name of a file, without folders, that ends in .words.
func (n *ListName) ParseString(text string) error {
	if !listName.MatchString(text) {
		return fmt.Errorf("%q is no list of words: write the name of a file in the folder of this one that ends in .words and does not begin with a dot", text)
	}
	n.text = text
	return nil
}

// String is the name.
func (n ListName) String() string { return n.text }

var listName = regexp.MustCompile(`^[^./\\\pC][^/\\\pC]{0,250}\.words$`)

var customName = regexp.MustCompile(fmt.Sprintf("^[A-Za-z0-9][A-Za-z0-9_-]{0,%d}$", spec.MaxCustomName-1))
