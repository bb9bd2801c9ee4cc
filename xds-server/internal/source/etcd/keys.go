package etcd

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

// Limits on what is under a prefix. What is beyond is a mistake: the wrong
// prefix, or a program that writes without end.
const (
	// MaxKeys bounds the number of keys.
	MaxKeys = 100_000
	// MaxBytes bounds all values together.
	MaxBytes = 256 << 20
)

// keys are all keys under the prefix as they were at one revision. A value of it
// is not changed: apply makes a new one.
type keys struct {
	prefix   string
	revision int64
	bytes    int
	sorted   []source.Document // by Name
}

// document is a key as a document.
func (k keys) document(kv *mvccpb.KeyValue) source.Document {
	// A byte beyond the limit is enough to have it refused, with its key.
	name := k.name(kv.GetKey())
	value := kv.GetValue()[:min(len(kv.GetValue()), source.Limit(name)+1)]
	return source.Document{
		Name: name, Origin: fmt.Sprintf("etcd:%s@%d", readable(string(kv.GetKey())), kv.GetModRevision()), Data: bytes.Clone(value),
	}
}

// name is what follows the prefix; where nothing does, two quotes.
func (k keys) name(key []byte) string { return readable(strings.TrimPrefix(string(key), k.prefix)) }

// readable is text as it is, or quoted if a log or a terminal would not show it
// so. No two texts become the same.
func readable(text string) string {
	odd := func(r rune) bool { return r == '"' || !unicode.IsPrint(r) }
	if text != "" && utf8.ValidString(text) && !strings.ContainsFunc(text, odd) {
		return text
	}
	return strconv.QuoteToASCII(text)
}

// isFolder: such keys are markers of tools that show keys as a tree.
func isFolder(key []byte) bool { return bytes.HasSuffix(key, []byte("/")) }

// add adds keys that are new, in any order. sort must follow.
func (k *keys) add(found []*mvccpb.KeyValue) {
	for _, kv := range found {
		if isFolder(kv.GetKey()) {
			continue
		}
		d := k.document(kv)
		k.bytes += len(d.Data)
		k.sorted = append(k.sorted, d)
	}
}

func (k *keys) sort() {
	slices.SortFunc(k.sorted, func(a, b source.Document) int { return cmp.Compare(a.Name, b.Name) })
}

// apply returns the keys after events, which must be all of those up to revision.
func (k keys) apply(events []*clientv3.Event, revision int64) keys {
	changed := make(map[string]*source.Document, len(events)) // nil: deleted
	for _, e := range events {
		switch {
		case isFolder(e.Kv.GetKey()):
		case e.Type == clientv3.EventTypeDelete:
			changed[k.name(e.Kv.GetKey())] = nil
		default:
			d := k.document(e.Kv)
			changed[d.Name] = &d
		}
	}
	next := keys{prefix: k.prefix, revision: max(k.revision, revision), sorted: make([]source.Document, 0, len(k.sorted)+len(changed))}
	for _, d := range k.sorted {
		now, isChanged := changed[d.Name]
		switch {
		case !isChanged:
			next.keep(d)
		case now != nil:
			if bytes.Equal(now.Data, d.Data) {
				now.Data = d.Data
			}
			next.keep(*now)
		}
		delete(changed, d.Name)
	}
	ordered := len(next.sorted)
	for _, d := range changed {
		if d != nil {
			next.keep(*d)
		}
	}
	if len(next.sorted) > ordered {
		next.sort()
	}
	return next
}

func (k *keys) keep(d source.Document) {
	k.sorted = append(k.sorted, d)
	k.bytes += len(d.Data)
}

// same gives documents that did not change the data that they had.
func (k keys) same(before keys) keys {
	known := make(map[string][]byte, len(before.sorted))
	for _, d := range before.sorted {
		known[d.Name] = d.Data
	}
	for i, d := range k.sorted {
		if data, ok := known[d.Name]; ok && bytes.Equal(data, d.Data) {
			k.sorted[i].Data = data
		}
	}
	return k
}

// bound refuses more than this program should hold.
func (k keys) bound() error {
	switch {
	case len(k.sorted) > MaxKeys:
		return fmt.Errorf("more than the limit of %d keys begin with %q: is it the right --etcd-prefix?", MaxKeys, k.prefix)
	case k.bytes > MaxBytes:
		return fmt.Errorf("the values of the keys that begin with %q have more than the limit of %d bytes together: is it the right --etcd-prefix?", k.prefix, MaxBytes)
	default:
		return nil
	}
}
