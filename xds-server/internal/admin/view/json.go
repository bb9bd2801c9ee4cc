package view

import (
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// JSON is a message in protobuf's JSON mapping with all of its fields, over
// several lines.
func JSON(m proto.Message) ([]byte, error) { return write(m, "  ") }

// Line is JSON in one line.
func Line(m proto.Message) ([]byte, error) { return write(m, "") }

// write goes through encoding/json because protojson varies its spaces on purpose.
func write(m proto.Message, indent string) ([]byte, error) {
	text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write %s as JSON: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	if indent == "" {
		text, err = json.Marshal(json.RawMessage(text))
	} else {
		text, err = json.MarshalIndent(json.RawMessage(text), "", indent)
	}
	if err != nil {
		return nil, fmt.Errorf("write %s as JSON: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return append(text, '\n'), nil
}
