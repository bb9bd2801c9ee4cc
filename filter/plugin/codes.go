//go:build wasip1

package plugin

// Codes of the plugin's own replies.
const (
	codeInternal       = "internal_error"  // the host gave an answer that none expects
	codeLengthRequired = "length_required" // trailers after a body that cannot be written back
)

// replyCodes are the codes of local replies (docs/ARCHITECTURE.md), each with a
// counter weir.replies.<code>. The last one counts what the list does not know.
var replyCodes = [...]string{
	"invalid_json", "json_too_deep", "duplicate_parameter", "missing_model", "invalid_parameter",
	"invalid_path", "model_not_found", "version_not_found", "unknown_url", "request_too_large",
	"overloaded", "unsupported_media_type", "unsupported_content_encoding", "rate_limit_exceeded",
	"limiter_unavailable", "ok", codeLengthRequired, codeInternal, "other",
}

// entityNames are the entities of a redaction policy in the order of
// spec.EntityKind, each with a counter weir.redactions.<entity>.
var entityNames = [...]string{"phone", "email", "residentID", "bankCard"}
