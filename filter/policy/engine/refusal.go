package engine

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
