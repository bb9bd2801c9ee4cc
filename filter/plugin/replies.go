//go:build wasip1

package plugin

import "github.com/weirmesh/weir/filter/policy/engine"

// Replies of the plugin itself, in the shape of the engine's.
var (
	internalError = ownReply(500, "server_error", codeInternal, "The gateway's filter could not work on this request.")

	lengthRequired = ownReply(411, "invalid_request_error", codeLengthRequired,
		"A request with trailers needs a content-length here.")
)

func ownReply(code int, kind, name, message string) engine.ReplyMessage {
	body := `{"error":{"message":"` + message + `","type":"` + kind + `","param":null,"code":"` + name + `"}}`
	return engine.ReplyMessage{
		Status:  code,
		Headers: []engine.Edit{{Op: engine.Set, Name: "content-type", Value: []byte("application/json")}},
		Body:    []byte(body),
		Details: "weir_" + name,
		Code:    name,
	}
}
