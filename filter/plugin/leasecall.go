package plugin

import (
	"encoding/binary"

	"github.com/weirmesh/weir/filter/policy/lease"
)

// A call is a unary one of gRPC with a google.protobuf.BytesValue each way, over
// plain HTTP: a byte 0, the length of the message in big endian, the tag of field 1,
// the length of its bytes as a varint, and the bytes.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
const (
	bytesField = 1<<3 | 2
	// callHeader is the room before the bytes: they are fewer than 16,384, so that their
	// length takes two bytes, if need be with a needless one.
	callHeader = 5 + 1 + 2
)

const errAnswer storeError = "the xds-server's answer cannot be read"

// frame puts the header before a message of n bytes that begins at callHeader.
func frame(b []byte, n int) []byte {
	b[0] = 0
	binary.BigEndian.PutUint32(b[1:], uint32(n+callHeader-5))
	b[5] = bytesField
	b[6], b[7] = byte(n)|0x80, byte(n>>7)
	return b[:callHeader+n]
}

// unframe returns the bytes of a framed message.
func unframe(b []byte) ([]byte, error) {
	if len(b) < 7 || b[0] != 0 || uint64(binary.BigEndian.Uint32(b[1:])) != uint64(len(b)-5) || b[5] != bytesField {
		return nil, errAnswer
	}
	n, size := binary.Uvarint(b[6:])
	if size <= 0 || n != uint64(len(b)-6-size) || n > lease.MaxAnswer {
		return nil, errAnswer
	}
	return b[6+size:], nil
}
