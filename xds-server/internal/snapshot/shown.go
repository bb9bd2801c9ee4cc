package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/cncf/xds/go/udpa/annotations"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
)

// redacted stands in for what nobody is shown, as in Envoy's own config dump.
const redacted = "[redacted]"

// maxBytesShown is how much of a bytes field is shown, in bytes; of a longer one
// the digest is.
const maxBytesShown = 1 << 10

// hiddenFields are kept from people beside those that Envoy's API annotates as
// sensitive: a module's environment has keys for services.
var hiddenFields = map[protoreflect.FullName]bool{
	"envoy.extensions.wasm.v3.EnvironmentVariables.key_values": true,
}

// hidden is a value that is compared, and shown as a mark. What it is compared
// by never leaves the process.
type hidden struct {
	mark string
	sum  [sha256.Size]byte
}

// MarshalJSON writes the mark.
func (h hidden) MarshalJSON() ([]byte, error) { return json.Marshal(h.mark) }

// Shown returns the resource in protobuf's JSON mapping, for people: private
// keys and all else that Envoy's API annotates as sensitive
// (udpa.annotations.sensitive) are replaced by "[redacted]", bytes of more than
// 1 KiB by their size and digest, and messages of types that this program does
// not know by their type. The keys are sorted.
func (r *Resource) Shown() json.RawMessage {
	return json.RawMessage(shown(r.tree()))
}

// tree is the resource for fieldDiff.
func (r *Resource) tree() any {
	message, err := r.Body.UnmarshalNew()
	if err != nil { // NewResource has encoded it
		return map[string]any{"@type": r.Body.GetTypeUrl(), "error": err.Error()}
	}
	return messageTree(message.ProtoReflect())
}

func messageTree(m protoreflect.Message) any {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		return anyTree(packed)
	}
	if m.Descriptor().FullName().Parent() == "google.protobuf" {
		return wellKnownTree(m)
	}
	tree := make(map[string]any)
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		tree[field.JSONName()] = fieldTree(m, field, value)
		return true
	})
	return tree
}

// anyTree is the packed message with its type.
func anyTree(packed *anypb.Any) any {
	inner, err := packed.UnmarshalNew()
	if err != nil {
		mark := fmt.Sprintf("[%d bytes of a type that this server does not know]", len(packed.GetValue()))
		return map[string]any{"@type": packed.GetTypeUrl(), "value": hidden{mark, sha256.Sum256(packed.GetValue())}}
	}
	tree := messageTree(inner.ProtoReflect())
	object, ok := tree.(map[string]any)
	if !ok || inner.ProtoReflect().Descriptor().FullName().Parent() == "google.protobuf" {
		object = map[string]any{"value": tree}
	}
	object["@type"] = packed.GetTypeUrl()
	return object
}

// wellKnownTree is a duration, a wrapper and the like, which have JSON of their own.
func wellKnownTree(m protoreflect.Message) any {
	text, err := protojson.Marshal(m.Interface())
	if err != nil {
		return opaque(m, fmt.Sprintf("[cannot be shown: %v]", err))
	}
	tree, err := parsed(text)
	if err != nil {
		return opaque(m, fmt.Sprintf("[cannot be shown: %v]", err))
	}
	return tree
}

func fieldTree(m protoreflect.Message, field protoreflect.FieldDescriptor, value protoreflect.Value) any {
	switch {
	case isHidden(field):
		alone := m.New()
		alone.Set(field, value)
		return opaque(alone, redacted)
	case field.IsList():
		list := make([]any, value.List().Len())
		for i := range list {
			list[i] = valueTree(field, value.List().Get(i))
		}
		return list
	case field.IsMap():
		object := make(map[string]any, value.Map().Len())
		value.Map().Range(func(key protoreflect.MapKey, entry protoreflect.Value) bool {
			object[key.String()] = valueTree(field.MapValue(), entry)
			return true
		})
		return object
	default:
		return valueTree(field, value)
	}
}

// valueTree is one value: of the field, or of a list or map in it.
func valueTree(field protoreflect.FieldDescriptor, value protoreflect.Value) any {
	switch field.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return messageTree(value.Message())
	case protoreflect.EnumKind:
		if known := field.Enum().Values().ByNumber(value.Enum()); known != nil {
			return string(known.Name())
		}
		return json.Number(strconv.Itoa(int(value.Enum())))
	case protoreflect.BytesKind:
		return bytesTree(value.Bytes())
	case protoreflect.StringKind, protoreflect.BoolKind:
		return value.Interface()
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		if f := value.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return value.String() // JSON has no such number
		}
		return json.Number(value.String())
	default:
		return json.Number(value.String())
	}
}

func bytesTree(data []byte) any {
	if len(data) <= maxBytesShown {
		return base64.StdEncoding.EncodeToString(data)
	}
	sum := sha256.Sum256(data)
	return hidden{fmt.Sprintf("[%d bytes, sha256 %x]", len(data), sum), sum}
}

func isHidden(field protoreflect.FieldDescriptor) bool {
	if hiddenFields[field.FullName()] {
		return true
	}
	options, ok := field.Options().(*descriptorpb.FieldOptions)
	if !ok {
		return false
	}
	sensitive, ok := proto.GetExtension(options, annotations.E_Sensitive).(bool)
	return ok && sensitive
}

// opaque is a message of which the mark is shown.
func opaque(m protoreflect.Message, mark string) hidden {
	data, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(m.Interface())
	if err != nil { // it came from bytes
		mark = fmt.Sprintf("[cannot be shown: %v]", err)
	}
	return hidden{mark, sha256.Sum256(data)}
}

// parsed is JSON as a tree.
func parsed(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, fmt.Errorf("parse JSON: %w", err)
	}
	if decoder.More() {
		return nil, fmt.Errorf("parse JSON: more than one value")
	}
	return tree, nil
}
