package engine

// headerRPCMessage says in words why a call over gRPC failed; its bytes beyond printable
// ASCII are percent-encoded
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses).
const headerRPCMessage = "grpc-message"

// maxRPCMessage bounds what of it is read; of a longer one nothing is said.
const maxRPCMessage = 1 << 10

// RPCMessage returns what has to stand in place of grpc-message in the headers or trailers
// that came last, nil if it stays as it is.
func (s *Stream) RPCMessage() []byte {
	message := s.got.message
	s.got.message = nil
	return message
}

// redactRPCMessage reads the message by the rules for answers: servers repeat in it what
// they were asked.
//
//go:noinline
func (s *Stream) redactRPCMessage(value []byte) {
	if len(value) == 0 || !s.isRPC() || !s.Rewrites() || s.answerRules() == nil {
		return
	}
	p := &s.out
	p.keepCounts()
	s.rpcBody = rpcBody{out: &p.raw}
	p.redactor.Reset(s.answerRules(), &p.session, &s.rpcBody)
	p.redactor.StringStart()
	text := bytesOf(unreadableText)
	if len(value) <= maxRPCMessage && p.redactor.Bytes(value) == nil && p.redactor.StringEnd() == nil && p.raw.Blocks() == 1 {
		text = nil
		if p.redactor.Edited() {
			text, _ = s.scratch.keep(p.raw.Block(0))
		}
	}
	s.got.message = text
	p.raw.Release()
}
