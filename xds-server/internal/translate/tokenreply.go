package translate

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// tokenRefused is what clients read whose token is refused: behind it stands why.
const tokenRefused = "The request needs a valid token: "

// tokenReplies give refusals of tokens the shape that the client reads. Envoy answers
// 403 to a token for another audience; but whoever it was made for, here it is one that
// is not valid, which is 401 (RFC 6750, section 3.1).
//
// Nothing else of Envoy answers 401, and 403 only if a protocol was to be switched to.
func tokenReplies() []*hcmv3.ResponseMapper {
	var mappers []*hcmv3.ResponseMapper
	for _, code := range []uint32{401, 403} {
		refused := both(status(code), unmarked())
		if code == 403 {
			refused = both(refused, without("upgrade"))
		}
		for _, shape := range []struct {
			match *accesslogv3.AccessLogFilter
			body  *corev3.SubstitutionFormatString
		}{
			{grpcClient(), plainText(tokenRefused + envoysWords)},
			{pathBegins("/v1/messages"), anthropicError("authentication_error", tokenRefused+localBody)},
			{pathBegins("/v2/"), jsonBody(map[string]*structpb.Value{"error": structpb.NewStringValue(tokenRefused + localBody)})},
			{nil, openAIError(envoyReply{kind: "invalid_request_error", code: details, message: tokenRefused + localBody})},
		} {
			mapper := &hcmv3.ResponseMapper{Filter: refused, StatusCode: wrapperspb.UInt32(401), BodyFormatOverride: shape.body}
			if shape.match != nil {
				mapper.Filter = both(refused, shape.match)
			}
			mappers = append(mappers, mapper)
		}
	}
	return mappers
}

func anthropicError(kind, message string) *corev3.SubstitutionFormatString {
	return jsonBody(map[string]*structpb.Value{
		"type": structpb.NewStringValue("error"),
		"error": structpb.NewStructValue(object(map[string]*structpb.Value{
			"type":    structpb.NewStringValue(kind),
			"message": structpb.NewStringValue(message),
		})),
	})
}

// unmark removes the mark of the filter's replies from what clients send. The filter
// does so too, but tokens are refused before it.
func unmark() *corev3.TypedExtensionConfig {
	return &corev3.TypedExtensionConfig{
		Name: "envoy.http.early_header_mutation.header_mutation",
		TypedConfig: pack(&earlyv3.HeaderMutation{Mutations: []*mutationv3.HeaderMutation{
			{Action: &mutationv3.HeaderMutation_Remove{Remove: headerReplied}},
		}}),
	}
}

func pathBegins(prefix string) *accesslogv3.AccessLogFilter {
	return header(&routev3.HeaderMatcher{
		Name: ":path",
		HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: &matcherv3.StringMatcher{
			MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: prefix},
		}},
	})
}
