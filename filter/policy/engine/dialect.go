package engine

import "github.com/weirmesh/weir/filter/policy/jsonscan"

// dialect is the form of errors.
type dialect uint8

const (
	dialectOpenAI    dialect = iota
	dialectV2                // of the Open Inference Protocol v2, where "error" is a string
	dialectAnthropic         // https://docs.anthropic.com/en/api/errors
	dialectGRPC              // a status and a message
)

// dialect says which form of errors the clients of the path read.
func (s *Stream) dialect() dialect {
	path := view(s.facts.path[:s.facts.pathBytes])
	switch {
	case s.isRPC():
		return dialectGRPC
	case path == pathServer || hasPrefix(path, pathServer+"/"):
		return dialectV2
	case path == pathMessages:
		return dialectAnthropic
	}
	return dialectOpenAI
}

// writeRefusal writes what was refused in the form that the path's clients read.
func (s *Stream) writeRefusal() {
	r, message := s.refused.why, s.refused.message
	if r == nil || s.reply.Body != nil {
		return
	}
	dialect := s.dialect()
	if dialect == dialectGRPC {
		s.reply.Body, s.reply.GRPC = message, r.grpcStatus()
		s.response.drop() // content-type is Envoy's
		s.pushBack()
		return
	}
	b := s.scratch.open()
	switch dialect {
	case dialectV2:
		b = append(b, `{"error":"`...)
	case dialectAnthropic:
		b = append(b, `{"type":"error","error":{"type":"`...)
		b = append(b, r.anthropicType()...)
		b = append(b, `","message":"`...)
	default:
		b = append(b, `{"error":{"message":"`...)
	}
	b = jsonscan.AppendEscaped(b, view(message))
	switch dialect {
	case dialectV2:
		b = append(b, `"}`...)
	case dialectAnthropic:
		b = append(b, `"}}`...)
	default:
		b = r.appendDetails(b, s.refused.param)
	}
	s.reply.Body = s.scratch.close(b)
}

// appendDetails closes the message and writes what stands beside it.
func (r *refusal) appendDetails(b []byte, param string) []byte {
	b = append(b, `","type":"`...)
	b = append(b, r.kind...)
	b = append(b, `","param":`...)
	if param == "" {
		b = append(b, "null"...)
	} else {
		b = jsonscan.AppendString(b, param)
	}
	b = append(b, `,"code":"`...)
	b = append(b, r.code...)
	return append(b, `"}}`...)
}

// anthropicType is the type of an error in Anthropic's form.
func (r *refusal) anthropicType() string {
	switch {
	case r.status == 401:
		return "authentication_error"
	case r.status == 403:
		return "permission_error"
	case r.status == 404:
		return "not_found_error"
	case r.status == 413:
		return "request_too_large"
	case r.status == 429:
		return "rate_limit_error"
	case r.status >= 500:
		return "api_error"
	}
	return typeRequest
}
