package engine

import (
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/multipart"
	"github.com/weirmesh/weir/filter/policy/oip"
	"github.com/weirmesh/weir/filter/policy/redact"
)

var (
	contentTypeJSON = []byte("application/json")
	oneSecond       = []byte("1")
	oneSecondMs     = []byte("1000")
	noRetry         = []byte("false")
)

// answer replies 200 with a body that lives as long as the program.
func (s *Stream) answer(body []byte) bool {
	return s.respond(200, CodeOK, "weir_ok", body)
}

// respond sets the reply unless there is one already: the first problem counts. It
// returns false, so that a refusal can be the result of a step.
//
//go:noinline
func (s *Stream) respond(status int, code, details string, body []byte) bool {
	if s.replied {
		return false
	}
	s.replied = true
	s.reply = ReplyMessage{Status: status, Body: body, Code: code, Details: details, GRPC: NoGRPC}
	s.response.n = 0
	s.replyHeader("content-type", contentTypeJSON)
	return false
}

// replyHeader adds a header to the reply.
func (s *Stream) replyHeader(name string, value []byte) {
	s.response.set(name, value)
	s.reply.Headers = s.response.all()
}

// refused is a refusal that is not written yet: its form depends on all headers,
// and one of the first may be what is refused.
type refused struct {
	why     *refusal
	param   string
	message []byte
}

// refuse replies with an error. An empty param is null; the message comes in parts.
//
//go:noinline
func (s *Stream) refuse(r *refusal, param string, message ...string) bool {
	if s.replied {
		return false
	}
	b := s.scratch.open()
	for _, part := range message {
		b = append(b, part...)
	}
	s.refused = refused{r, param, s.scratch.close(b)}
	return s.respond(r.status, r.code, r.details, nil)
}

// RefuseLength answers a request whose body cannot be changed without its
// content-length, whatever was decided before.
func (s *Stream) RefuseLength() *ReplyMessage {
	return s.insist(&noLength, "A request with trailers needs a content-length here.")
}

// RefuseEvidence answers a request of which no sealed record could be kept.
func (s *Stream) RefuseEvidence() *ReplyMessage {
	return s.insist(&noEvidence, "The gateway cannot keep evidence of requests now.")
}

// RefuseInternal answers a request that the caller could not do what was decided
// about, whatever that was.
func (s *Stream) RefuseInternal() *ReplyMessage {
	return s.insist(&internal, "The gateway's filter could not work on this request.")
}

// insist replaces what was decided by a refusal.
func (s *Stream) insist(r *refusal, message string) *ReplyMessage {
	s.replied = false
	s.response.reset()
	s.refuse(r, "", message)
	s.done()
	return &s.reply
}

//go:noinline
func (s *Stream) refuseParameter(param string, problem string) bool {
	return s.refuse(&badParameter, param, "Invalid ", param, ": it ", problem, ".")
}

// refuseModel answers 404 and names the models that there are. The name that was
// asked for is repeated only if it is text of a sensible length.
func (s *Stream) refuseModel(name *text) bool {
	const longest = 128
	if s.replied {
		return false
	}
	known := s.knownModels()
	if name.over || name.n > longest || !utf8.Valid(name.bytes()) {
		return s.refuse(&unknownModel, "model", "The model does not exist.", known)
	}
	return s.refuse(&unknownModel, "model", "The model `", view(name.bytes()), "` does not exist.", known)
}

// maxKnownBytes bounds the list of models in an answer.
const maxKnownBytes = 512

// knownModels is a sentence about the models that there are, as many as fit.
func (s *Stream) knownModels() string {
	models := s.program.doc.Models
	if len(models) == 0 {
		return ""
	}
	b := append(s.scratch.open(), " Known models: "...)
	n := 0
	for ; n < len(models) && (n == 0 || len(b)+len(models[n].Name) < maxKnownBytes); n++ {
		if n > 0 {
			b = append(b, ", "...)
		}
		b = append(b, models[n].Name...)
	}
	if n < len(models) {
		b = append(b, " and "...)
		b = jsonscan.AppendInt(b, int64(len(models)-n))
		b = append(b, " more (GET /v1/models lists all)"...)
	}
	return view(s.scratch.close(append(b, '.')))
}

func (s *Stream) refuseVersion() bool {
	return s.refuse(&unknownVersion, "model",
		"The model `", s.program.doc.Models[s.model].Name, "` does not have the version that the request asks for.")
}

func (s *Stream) refuseLarge() bool {
	limit := view(s.scratch.integer(int64(s.program.doc.Settings.HoldLimit)))
	return s.refuse(&tooLarge, "", "The body is longer than ", limit, " bytes.")
}

func (s *Stream) refuseMedia() bool {
	if s.facts.mediaType == mediaGRPCOther {
		return s.refuse(&badMedia, "", "The messages must be protocol buffers (content-type: application/grpc).")
	}
	if s.facts.encoded {
		return s.refuse(&badEncoding, "", "The body must be sent without content-encoding.")
	}
	return s.refuse(&badMedia, "", "The body must be JSON (content-type: application/json).")
}

func (s *Stream) refuseOverload() bool {
	if !s.replied {
		s.refuse(&overloaded, "", "The gateway holds as many requests as it can. Please try again in 1s.")
		s.replyHeader("retry-after", oneSecond)
		s.replyHeader("retry-after-ms", oneSecondMs)
	}
	return false
}

// refuseBody answers an error of reading or holding the body.
func (s *Stream) refuseBody(err error) bool {
	switch err := err.(type) {
	case jsonscan.Error:
		at := view(s.scratch.integer(s.in.scanner.Offset()))
		if err == jsonscan.ErrDepth {
			depth := view(s.scratch.integer(int64(s.program.doc.Settings.MaxDepth)))
			return s.refuse(&tooDeep, "", "The body nests deeper than ", depth, " levels at byte ", at, ".")
		}
		return s.refuse(&badJSON, "", "The body is not valid JSON: ", err.Error(), " at byte ", at, ".")
	case oip.Error:
		return s.refuseMessage(err)
	case redact.Error:
		return s.refuse(&tooManyValues, "", "The request holds more personal data than the gateway can put back into the answer.")
	case multipart.Error:
		at := view(s.scratch.integer(s.plain.parts.Offset()))
		return s.refuse(&badMedia, "", "The body is not valid multipart/form-data: ", err.Error(), " (at byte ", at, ").")
	case mediaError:
		return s.refuse(&badMedia, "", "The body cannot be redacted as the policy ", s.redaction().Name, " asks for: ", err.Error(), ".")
	case hold.Error:
		if err == hold.ErrPoolExhausted {
			return s.refuseOverload()
		}
		return s.refuseLarge()
	}
	return false // errReplied: the reply is there
}
