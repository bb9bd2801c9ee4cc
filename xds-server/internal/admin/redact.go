package admin

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"unicode/utf8"

	"github.com/cncf/xds/go/udpa/annotations"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// redacted stands in for what nobody is shown, as in Envoy's own config dump.
const redacted = "[redacted]"

// maxInline is the size in bytes above which inline files are told by their
// digest.
const maxInline = 16 << 10

// sensitiveFields are kept from callers beside the fields that Envoy's API
// annotates as sensitive (udpa.annotations.sensitive): keys for services go into
// the environment of a module, for one.
var sensitiveFields = map[protoreflect.FullName]bool{
	"envoy.extensions.wasm.v3.EnvironmentVariables.key_values": true,
}

// showBody returns a resource in protobuf's JSON mapping as callers may see it:
// without secrets, and with long inline files told by their digest.
func showBody(body *anypb.Any) (*structpb.Struct, error) {
	message, err := body.UnmarshalNew()
	if err != nil {
		return nil, fmt.Errorf("decode a resource: %w", err)
	}
	redact(message.ProtoReflect(), false)
	text, err := protojson.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("write a resource as JSON: %w", err)
	}
	shown := &structpb.Struct{}
	if err := protojson.Unmarshal(text, shown); err != nil {
		return nil, fmt.Errorf("read a resource as JSON: %w", err)
	}
	return shown, nil
}

// redact changes a message in place. Of a sensitive one nothing but its shape is
// left.
func redact(m protoreflect.Message, sensitive bool) {
	switch message := m.Interface().(type) {
	case *anypb.Any:
		redactAny(message, sensitive)
		return
	case *corev3.DataSource:
		if !sensitive {
			shortenInline(message)
			return
		}
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		hide := sensitive || isSensitive(field)
		switch {
		case field.IsMap():
			redactMap(field, value.Map(), hide)
		case field.IsList():
			redactList(field, value.List(), hide)
		case field.Message() != nil:
			redact(value.Message(), hide)
		case hide:
			setHidden(m, field)
		}
		return true
	})
}

func isSensitive(field protoreflect.FieldDescriptor) bool {
	if sensitiveFields[field.FullName()] {
		return true
	}
	options, ok := field.Options().(*descriptorpb.FieldOptions)
	if !ok {
		return false
	}
	sensitive, ok := proto.GetExtension(options, annotations.E_Sensitive).(bool)
	return ok && sensitive
}

func redactMap(field protoreflect.FieldDescriptor, values protoreflect.Map, hide bool) {
	values.Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
		switch {
		case field.MapValue().Message() != nil:
			redact(value.Message(), hide)
		case hide:
			values.Set(key, hidden(field.MapValue()))
		}
		return true
	})
}

func redactList(field protoreflect.FieldDescriptor, values protoreflect.List, hide bool) {
	for i := range values.Len() {
		switch {
		case field.Message() != nil:
			redact(values.Get(i).Message(), hide)
		case hide:
			values.Set(i, hidden(field))
		}
	}
}

// setHidden replaces a scalar field: text by a mark, other things by nothing.
func setHidden(m protoreflect.Message, field protoreflect.FieldDescriptor) {
	switch field.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind:
		m.Set(field, hidden(field))
	default:
		m.Clear(field)
	}
}

func hidden(field protoreflect.FieldDescriptor) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(redacted)
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(redacted))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(0)
	default:
		return field.Default()
	}
}

// redactAny looks into a message of another type. One that cannot be read is not
// shown: it may hold anything.
func redactAny(packed *anypb.Any, sensitive bool) {
	inner, err := packed.UnmarshalNew()
	if err != nil {
		inner = wrapperspb.String(fmt.Sprintf("%d bytes of %s, which this server does not know", len(packed.GetValue()), packed.GetTypeUrl()))
	} else {
		redact(inner.ProtoReflect(), sensitive)
	}
	if err := packed.MarshalFrom(inner); err != nil {
		packed.TypeUrl, packed.Value = "", nil
	}
}

// shortenInline shows inline text as text, and a long file by its digest.
func shortenInline(source *corev3.DataSource) {
	content := source.GetInlineBytes()
	if text := source.GetInlineString(); text != "" {
		content = []byte(text)
	}
	switch {
	case content == nil:
	case len(content) > maxInline:
		source.Specifier = &corev3.DataSource_InlineString{InlineString: fmt.Sprintf("[%d bytes, sha256 %x]", len(content), sha256.Sum256(content))}
	case utf8.Valid(content) && !bytes.ContainsRune(content, 0):
		source.Specifier = &corev3.DataSource_InlineString{InlineString: string(content)}
	}
}
