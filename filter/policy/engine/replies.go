package engine

import (
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/multipart"
	"github.com/weirmesh/weir/filter/policy/oip"
	"github.com/weirmesh/weir/filter/policy/redact"
)

// Codes of the answers (docs/ARCHITECTURE.md, "Answers of the filter").
const (
	CodeOK                  = "ok" // the filter itself has what was asked for
	CodeInvalidJSON         = "invalid_json"
	CodeJSONTooDeep         = "json_too_deep"
	CodeDuplicateParameter  = "duplicate_parameter"
	CodeMissingModel        = "missing_model"
	CodeInvalidParameter    = "invalid_parameter"
	CodeInvalidPath         = "invalid_path"
	CodeModelNotFound       = "model_not_found"
	CodeVersionNotFound     = "version_not_found"
	CodeUnknownURL          = "unknown_url"
	CodeRequestTooLarge     = "request_too_large"
	CodeOverloaded          = "overloaded"
	CodeUnsupportedMedia    = "unsupported_media_type"
	CodeUnsupportedEncoding = "unsupported_content_encoding"
	CodeRateLimitExceeded   = "rate_limit_exceeded"
	CodeInsufficientQuota   = "insufficient_quota"
	CodeMissingKey          = "missing_key"
	CodeLimiterUnavailable  = "limiter_unavailable"
	CodeEvidenceUnavailable = "evidence_unavailable"
	CodeLengthRequired      = "length_required"
	CodeInternalError       = "internal_error"
	CodeInvalidMessage      = "invalid_message" // gRPC alone, like the next
	CodeGRPCNotServed       = "grpc_not_served"
)

// Types of errors in OpenAI's sense.
const (
	typeRequest = "invalid_request_error"
	typeServer  = "server_error"
	typeTokens  = "tokens"
	typeCounted = "requests"
	typeQuota   = "insufficient_quota"
)

// refusal is a row of the table of answers.
type refusal struct {
	status  int
	kind    string // error.type
	code    string // error.code
	details string // Envoy's response code details
}

var (
	badJSON         = refusal{400, typeRequest, CodeInvalidJSON, "weir_invalid_json"}
	tooDeep         = refusal{400, typeRequest, CodeJSONTooDeep, "weir_json_too_deep"}
	duplicate       = refusal{400, typeRequest, CodeDuplicateParameter, "weir_duplicate_parameter"}
	noModel         = refusal{400, typeRequest, CodeMissingModel, "weir_missing_model"}
	badParameter    = refusal{400, typeRequest, CodeInvalidParameter, "weir_invalid_parameter"}
	badPath         = refusal{400, typeRequest, CodeInvalidPath, "weir_invalid_path"}
	unknownModel    = refusal{404, typeRequest, CodeModelNotFound, "weir_model_not_found"}
	unknownVersion  = refusal{404, typeRequest, CodeVersionNotFound, "weir_version_not_found"}
	unknownURL      = refusal{404, typeRequest, CodeUnknownURL, "weir_unknown_url"}
	tooLarge        = refusal{413, typeRequest, CodeRequestTooLarge, "weir_request_too_large"}
	overloaded      = refusal{429, typeServer, CodeOverloaded, "weir_overloaded"}
	badMedia        = refusal{415, typeRequest, CodeUnsupportedMedia, "weir_unsupported_media_type"}
	badEncoding     = refusal{415, typeRequest, CodeUnsupportedEncoding, "weir_unsupported_content_encoding"}
	overBudget      = refusal{429, typeTokens, CodeRateLimitExceeded, "weir_rate_limit_exceeded"}
	overRequests    = refusal{429, typeCounted, CodeRateLimitExceeded, "weir_rate_limit_exceeded"}
	overQuota       = refusal{429, typeQuota, CodeInsufficientQuota, "weir_insufficient_quota"}
	noKey           = refusal{401, typeRequest, CodeMissingKey, "weir_missing_key"}
	noEvidence      = refusal{503, typeServer, CodeEvidenceUnavailable, "weir_evidence_unavailable"}
	noLength        = refusal{411, typeRequest, CodeLengthRequired, "weir_length_required"}
	internal        = refusal{500, typeServer, CodeInternalError, "weir_internal_error"}
	badMessage      = refusal{400, typeRequest, CodeInvalidMessage, "weir_invalid_message"}
	strayFlag       = refusal{400, typeRequest, CodeInvalidMessage, "weir_invalid_message"}
	notServed       = refusal{501, typeRequest, CodeGRPCNotServed, "weir_grpc_not_served"}
	limiterUnusable = refusal{503, typeServer, CodeLimiterUnavailable, "weir_limiter_unavailable"}
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
