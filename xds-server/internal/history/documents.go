package history

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

// shardCount is how many shards the documents of a revision are spread over.
const shardCount = 256

// documents are those of one revision.
type documents struct {
	shards [shardCount]shard
}

// shard holds the documents whose names hash to one place, sorted by name. The
// empty shard has no hash and no file.
type shard struct {
	hash      string
	documents []source.Document
}

// shardOf says which shard a name belongs to.
func shardOf(name string) int {
	sum := sha256.Sum256([]byte(name))
	return int(sum[0])
}

// next spreads a new set over shards. Those that did not change are taken over
// from d, so that only what is new is encoded and hashed.
func (d *documents) next(set []source.Document) (documents, error) {
	var all documents
	for _, doc := range set {
		if !utf8.ValidString(doc.Name) || !utf8.ValidString(doc.Origin) {
			return documents{}, fmt.Errorf("the document %q, from %q, has a name or an origin that is not UTF-8", doc.Name, doc.Origin)
		}
		s := &all.shards[shardOf(doc.Name)]
		s.documents = append(s.documents, doc)
	}
	for at := range all.shards {
		s := &all.shards[at]
		sortByName(s.documents)
		for i := 1; i < len(s.documents); i++ {
			if name := s.documents[i].Name; name == s.documents[i-1].Name {
				return documents{}, fmt.Errorf("two documents have the name %q", name)
			}
		}
		if slices.EqualFunc(s.documents, d.shards[at].documents, equal) {
			*s = d.shards[at]
			continue
		}
		if err := s.seal(); err != nil {
			return documents{}, err
		}
	}
	return all, nil
}

func equal(a, b source.Document) bool {
	return a.Name == b.Name && a.Origin == b.Origin && bytes.Equal(a.Data, b.Data)
}

// list returns all documents, sorted by name.
func (d *documents) list() []source.Document {
	var all []source.Document
	for _, s := range d.shards {
		all = append(all, s.documents...)
	}
	sortByName(all)
	return all
}

func sortByName(all []source.Document) {
	slices.SortFunc(all, func(a, b source.Document) int { return strings.Compare(a.Name, b.Name) })
}

// hashes returns the shards that are not empty.
func (d *documents) hashes() map[place]string {
	all := make(map[place]string)
	for at, s := range d.shards {
		if s.hash != "" {
			all[place(at)] = s.hash
		}
	}
	return all
}

// shardFile is how a shard is written: JSON, with the data in base64.
type shardFile struct {
	Documents []documentEntry `json:"documents"`
}

type documentEntry struct {
	Name   string `json:"name"`
	Origin string `json:"origin,omitempty"`
	Data   []byte `json:"data"`
}

// encoded returns the shard's file.
func (s *shard) encoded() ([]byte, error) {
	file := shardFile{Documents: make([]documentEntry, len(s.documents))}
	for i, doc := range s.documents {
		file.Documents[i] = documentEntry{Name: doc.Name, Origin: doc.Origin, Data: doc.Data}
	}
	data, err := json.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("encode documents: %w", err)
	}
	return data, nil
}

// seal gives a shard its hash. It must hold something, or be empty for good.
func (s *shard) seal() error {
	if len(s.documents) == 0 {
		return nil
	}
	data, err := s.encoded()
	if err != nil {
		return err
	}
	s.hash = hashOf(data)
	return nil
}

// hashOf names a shard's file.
func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// decodeShard reads a shard's file, which must have the hash, belong to the
// place, and be written as encoded does it.
func decodeShard(at int, hash string, data []byte) (shard, error) {
	if hashOf(data) != hash {
		return shard{}, fmt.Errorf("documents/%s is torn: its content has another hash", hash)
	}
	var file shardFile
	if err := json.Unmarshal(data, &file); err != nil {
		return shard{}, fmt.Errorf("documents/%s: %w", hash, err)
	}
	s := shard{hash: hash}
	for i, entry := range file.Documents {
		if i > 0 && entry.Name <= file.Documents[i-1].Name {
			return shard{}, fmt.Errorf("documents/%s: %q is out of order", hash, entry.Name)
		}
		if shardOf(entry.Name) != at {
			return shard{}, fmt.Errorf("documents/%s: %q does not belong there", hash, entry.Name)
		}
		s.documents = append(s.documents, source.Document{Name: entry.Name, Origin: entry.Origin, Data: entry.Data})
	}
	if len(s.documents) == 0 {
		return shard{}, errors.New("documents/" + hash + " is empty")
	}
	return s, nil
}
