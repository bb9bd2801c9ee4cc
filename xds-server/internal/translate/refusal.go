package translate

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// serviceReply is what clients read when Envoy refuses because of a rate limit service,
// in the place of the filter, which says the same of its own budgets.
type serviceReply struct {
	match     *accesslogv3.AccessLogFilter
	openAI    envoyReply
	anthropic string // type of the error in Anthropic's form
}

// serviceReplies are those in every form that clients read: of gRPC, of the Open
// Inference Protocol, Anthropic's, and of all others OpenAI's.
func serviceReplies() []*hcmv3.ResponseMapper {
	var mappers []*hcmv3.ResponseMapper
	for _, r := range []serviceReply{
		{flags("RL"), envoyReply{kind: "tokens", code: "rate_limit_exceeded", message: "Rate limit reached. Please try again later."}, "rate_limit_error"},
		{flags("RLSE"), envoyReply{kind: "server_error", code: "limiter_unavailable", message: "The budget cannot be checked now. Please try again."}, "api_error"},
	} {
		message := r.openAI.message
		mappers = append(mappers,
			&hcmv3.ResponseMapper{Filter: both(r.match, grpcClient()), BodyFormatOverride: plainText(message)},
			&hcmv3.ResponseMapper{Filter: both(r.match, pathBegins("/v1/messages")), BodyFormatOverride: anthropicError(r.anthropic, message)},
			&hcmv3.ResponseMapper{Filter: both(r.match, pathBegins("/v2/")), BodyFormatOverride: jsonBody(map[string]*structpb.Value{
				"error": structpb.NewStringValue(message),
			})},
			&hcmv3.ResponseMapper{Filter: r.match, BodyFormatOverride: openAIError(r.openAI)},
		)
	}
	return mappers
}
