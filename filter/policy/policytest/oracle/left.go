package oracle

import "slices"

// LeftAlone says whether what stands below a member of this name may be left alone, in
// requests or in answers, by the rules that hold without a policy's own.
func LeftAlone(name string) bool { return slices.Contains(leftAlone, name) }

var leftAlone = []string{
	"model", "id", "type", "encoding_format", "include", "modalities", "previous_response_id", "effort", "summary", "reasoning_effort",
	"name", "service_tier", "tool_choice", "truncation", "role", "tool_call_id", "tool_use_id", "media_type", "signature", "data",
	"call_id", "status", "encrypted_content", "datatype", "arguments", "partial_json", "input",
	"object", "system_fingerprint", "response_id", "responseId", "modelVersion", "file_id", "obfuscation", "created_at", "item_id",
	"finish_reason", "finishReason", "stop_reason", "done_reason", "index", "output_index", "content_index", "summary_index",
}
