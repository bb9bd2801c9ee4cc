package engine

import (
	"unicode/utf8"

	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/jsonscan"
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
	CodeLimiterUnavailable  = "limiter_unavailable"
)

// Types of errors in OpenAI's sense.
const (
	typeRequest = "invalid_request_error"
	typeServer  = "server_error"
	typeTokens  = "tokens"
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
	limiterUnusable = refusal{503, typeServer, CodeLimiterUnavailable, "weir_limiter_unavailable"}
)

var (
	contentTypeJSON = []byte("application/json")
	oneSecond       = []byte("1")
	noRetry         = []byte("false")
)

// answer replies 200 with a body that lives as long as the program.
func (s *Stream) answer(body []byte) bool {
	return s.respond(200, CodeOK, "weir_ok", body)
}

// respond sets the reply unless there is one already: the first problem counts. It
// returns false, so that a refusal can be the result of a step.
func (s *Stream) respond(status int, code, details string, body []byte) bool {
	if s.replied {
		return false
	}
	s.replied = true
	s.reply = ReplyMessage{Status: status, Body: body, Code: code, Details: details}
	s.response.n = 0
	s.replyHeader("content-type", contentTypeJSON)
	return false
}

// replyHeader adds a header to the reply.
func (s *Stream) replyHeader(name string, value []byte) {
	s.response.set(name, value)
	s.reply.Headers = s.response.all()
}

// refuse replies with an error of OpenAI's form, or on a path of the Open Inference
// Protocol of that protocol's, whose clients read "error" as a string. An empty
// param is null; the message comes in parts.
func (s *Stream) refuse(r *refusal, param string, message ...string) bool {
	if s.replied {
		return false
	}
	v2 := s.speaksV2()
	b := s.scratch.open()
	if v2 {
		b = append(b, `{"error":"`...)
	} else {
		b = append(b, `{"error":{"message":"`...)
	}
	for _, part := range message {
		b = jsonscan.AppendEscaped(b, part)
	}
	if v2 {
		b = append(b, `"}`...)
	} else {
		b = r.appendDetails(b, param)
	}
	return s.respond(r.status, r.code, r.details, s.scratch.close(b))
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

// speaksV2 says whether the path is one of the Open Inference Protocol v2.
func (s *Stream) speaksV2() bool {
	path := view(s.facts.path[:s.facts.pathBytes])
	return path == pathServer || hasPrefix(path, pathServer+"/")
}

func (s *Stream) refuseParameter(param string, problem string) bool {
	return s.refuse(&badParameter, param, "Invalid ", param, ": it ", problem, ".")
}

// refuseModel answers 404. The name is repeated only if it is text of a sensible
// length.
func (s *Stream) refuseModel(name *text) bool {
	const longest = 128
	if name.over || name.n > longest || !utf8.Valid(name.bytes()) {
		return s.refuse(&unknownModel, "model", "The model does not exist.")
	}
	return s.refuse(&unknownModel, "model", "The model `", view(name.bytes()), "` does not exist.")
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
	if s.facts.encoded {
		return s.refuse(&badEncoding, "", "The body must be sent without content-encoding.")
	}
	return s.refuse(&badMedia, "", "The body must be JSON (content-type: application/json).")
}

func (s *Stream) refuseOverload() bool {
	if !s.replied {
		s.refuse(&overloaded, "", "The gateway holds as many requests as it can. Please try again in 1s.")
		s.replyHeader("retry-after", oneSecond)
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
	case hold.Error:
		if err == hold.ErrPoolExhausted {
			return s.refuseOverload()
		}
		return s.refuseLarge()
	}
	return false // errReplied: the reply is there
}
