//go:build wasip1

package plugin

// replyCodes are the codes of local replies (docs/ARCHITECTURE.md), each with a
// counter weir.replies.<code>. The last one counts what the list does not know.
var replyCodes = [...]string{
	"invalid_json", "json_too_deep", "duplicate_parameter", "missing_model", "invalid_parameter",
	"invalid_path", "model_not_found", "version_not_found", "unknown_url", "request_too_large",
	"overloaded", "unsupported_media_type", "unsupported_content_encoding", "rate_limit_exceeded",
	"insufficient_quota", "missing_key", "limiter_unavailable", "evidence_unavailable", "ok", "length_required",
	"internal_error", "invalid_message", "grpc_not_served", "personal_data",
	"too_many_values", "unreadable_answer", "blocked_answer", "other",
}

// answerNames are the faults of answers in the order of engine.AnswerFault, from its
// second on, each with a counter weir.answers.<fault>.
var answerNames = [...]string{"passed", "refused", "broken", "blocked"}

// wayNames are the ways to settle in the order of engine.Way, each with a counter
// weir.settlements.<way>.
var wayNames = [...]string{"none", "usage", "counted"}
