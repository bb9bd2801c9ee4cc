package translate

import (
	"fmt"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// requestHeadersTimeout bounds how long a client may take to send headers: they
// are small, and slow ones are an attack.
const requestHeadersTimeout = 10 * time.Second

// envoyReply is what clients read when Envoy itself answers with a status.
type envoyReply struct {
	match   *accesslogv3.AccessLogFilter // nil: every other
	kind    string
	code    string
	message string
	status  uint32 // in the place of Envoy's; 0: Envoy's
}

// details is Envoy's own word for what happened.
const details = "%RESPONSE_CODE_DETAILS%"

// localBody is the text with which Envoy would answer, envoysWords all that it says.
const (
	localBody   = "%LOCAL_REPLY_BODY%"
	envoysWords = localBody + " (" + details + ")"
)

// envoyReplies in the order in which they are tried. Envoy's own text is kept
// where there always is one, and it says more than the status.
var envoyReplies = []envoyReply{
	// Envoy has no details for a filter that never had a configuration it could
	// take, and calls it a 500; but it is a gateway that is not ready.
	{flags("NFCF"), "server_error", "gateway_not_ready", "The gateway has no configuration for its filter yet: try again later.", 503},
	{status(400), "invalid_request_error", details, "The request is not valid HTTP.", 0},
	{status(404), "invalid_request_error", details, "There is no route for this model.", 0},
	{status(408), "invalid_request_error", details, "The request did not arrive in time.", 0},
	{status(413), "invalid_request_error", details, "The request body is too large.", 0},
	{status(431), "invalid_request_error", details, "The request headers are too large.", 0},
	{status(502), "server_error", details, "The model's server did not answer as it should: %LOCAL_REPLY_BODY%", 0},
	{both(status(503), flags(upstreamFlags...)), "server_error", details, "The model's server cannot be reached: %LOCAL_REPLY_BODY%", 0},
	// Of Envoy itself: its overload manager, or a filter that trapped and is made anew.
	{status(503), "server_error", details, "The gateway cannot serve this request now: try again.", 0},
	{status(504), "server_error", details, "The model's server did not answer in time.", 0},
	{status(500), "server_error", details, "The gateway could not work on the request.", 0},
	{nil, "invalid_request_error", details, "The request was refused.", 0},
}

// localReplies gives Envoy's own replies the shape that OpenAI clients read, and gRPC
// clients a message: of the status Envoy makes one of gRPC's. Replies of the filter have it already and carry the mark of the filter.
// Tokens and budgets may be refused by filters of their own.
func localReplies(gateway *catalog.Gateway) *hcmv3.LocalReplyConfig {
	config := &hcmv3.LocalReplyConfig{}
	if gateway.Tokens != nil {
		config.Mappers = tokenReplies()
	}
	if gateway.RateLimit != nil {
		config.Mappers = append(config.Mappers, serviceReplies()...)
	}
	config.Mappers = append(config.Mappers,
		&hcmv3.ResponseMapper{
			Filter:             both(flags("NFCF"), both(grpcClient(), unmarked())),
			StatusCode:         wrapperspb.UInt32(503), // of which Envoy makes UNAVAILABLE
			BodyFormatOverride: plainText("The gateway has no configuration for its filter yet: try again later."),
		},
		&hcmv3.ResponseMapper{Filter: both(grpcClient(), unmarked()), BodyFormatOverride: plainText(envoysWords)})
	for _, reply := range envoyReplies {
		mapper := &hcmv3.ResponseMapper{Filter: foreign(reply.match), BodyFormatOverride: openAIError(reply)}
		if reply.status != 0 {
			mapper.StatusCode = wrapperspb.UInt32(reply.status)
		}
		config.Mappers = append(config.Mappers, mapper)
	}
	return config
}

func openAIError(reply envoyReply) *corev3.SubstitutionFormatString {
	return jsonBody(map[string]*structpb.Value{
		"error": structpb.NewStructValue(object(map[string]*structpb.Value{
			"message": structpb.NewStringValue(reply.message),
			"type":    structpb.NewStringValue(reply.kind),
			"param":   structpb.NewNullValue(),
			"code":    structpb.NewStringValue(reply.code),
		})),
	})
}

func jsonBody(fields map[string]*structpb.Value) *corev3.SubstitutionFormatString {
	return &corev3.SubstitutionFormatString{
		Format:      &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: object(fields)},
		ContentType: "application/json",
	}
}

// plainText is what Envoy makes the message of a gRPC status.
func plainText(format string) *corev3.SubstitutionFormatString {
	return &corev3.SubstitutionFormatString{
		Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
			Specifier: &corev3.DataSource_InlineString{InlineString: format},
		}},
	}
}

// grpcClient matches requests of gRPC clients.
func grpcClient() *accesslogv3.AccessLogFilter {
	return header(&routev3.HeaderMatcher{
		Name: "content-type",
		HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: &matcherv3.StringMatcher{
			MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: "application/grpc"},
		}},
	})
}

// unmarked matches what the filter did not answer itself.
func unmarked() *accesslogv3.AccessLogFilter { return without(headerReplied) }

// without matches requests that do not have a header.
func without(name string) *accesslogv3.AccessLogFilter {
	return header(&routev3.HeaderMatcher{
		Name:                 name,
		HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true},
		InvertMatch:          true,
	})
}

func header(matcher *routev3.HeaderMatcher) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_HeaderFilter{
		HeaderFilter: &accesslogv3.HeaderFilter{Header: matcher},
	}}
}

func object(fields map[string]*structpb.Value) *structpb.Struct {
	return &structpb.Struct{Fields: fields}
}

// foreign matches what match does, without the filter's own replies.
func foreign(match *accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	if match == nil {
		return unmarked()
	}
	return both(match, unmarked())
}

func both(a, b *accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{
		AndFilter: &accesslogv3.AndFilter{Filters: []*accesslogv3.AccessLogFilter{a, b}},
	}}
}

func status(code uint32) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_StatusCodeFilter{
		StatusCodeFilter: &accesslogv3.StatusCodeFilter{Comparison: &accesslogv3.ComparisonFilter{
			Op:    accesslogv3.ComparisonFilter_EQ,
			Value: &corev3.RuntimeUInt32{DefaultValue: code, RuntimeKey: fmt.Sprintf("weir.local_reply.%d", code)},
		}},
	}}
}

// upstreamFlags are the response flags of Envoy's 503 for an upstream: no
// healthy host, no connection, one that ended, too many requests, retries that
// came to nothing, a reset, no cluster.
var upstreamFlags = []string{"UH", "UF", "UC", "UO", "URX", "LR", "UR", "NC"}

// flags matches any of Envoy's response flags.
func flags(names ...string) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
		ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: names},
	}}
}

// accessLogFields are one line of the access log. Nothing in it comes from the
// body, and no header is in it that may carry a secret.
var accessLogFields = map[string]string{
	"time":            "%START_TIME%",
	"method":          "%REQ(:METHOD)%",
	"path":            "%PATH(NQ)%",
	"protocol":        "%PROTOCOL%",
	"status":          "%RESPONSE_CODE%",
	"details":         "%RESPONSE_CODE_DETAILS%",
	"flags":           "%RESPONSE_FLAGS%",
	"duration_ms":     "%DURATION%",
	"bytes_received":  "%BYTES_RECEIVED%",
	"bytes_sent":      "%BYTES_SENT%",
	"request_id":      "%REQ(X-REQUEST-ID)%",
	"model":           "%REQ(X-WEIR-MODEL)%",
	"version":         "%REQ(X-WEIR-VERSION)%",
	"upstream":        "%UPSTREAM_HOST%",
	"attempts":        "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
	"peer":            "%DOWNSTREAM_PEER_URI_SAN%",
	"upstream_peer":   "%UPSTREAM_PEER_URI_SAN%",
	"upstream_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
}

// accessLog writes one JSON line a request to standard output; record adds the
// filter's decision.
func accessLog(record bool) []*accesslogv3.AccessLog {
	fields := make(map[string]*structpb.Value)
	for name, format := range accessLogFields {
		fields[name] = structpb.NewStringValue(format)
	}
	if record {
		fields["weir"] = structpb.NewStringValue("%FILTER_STATE(wasm.weir:PLAIN)%")
	}
	return []*accesslogv3.AccessLog{{
		Name: "envoy.access_loggers.stdout",
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: pack(&streamv3.StdoutAccessLog{
			AccessLogFormat: &streamv3.StdoutAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
				Format:          &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: object(fields)},
				OmitEmptyValues: true,
			}},
		})},
	}}
}
