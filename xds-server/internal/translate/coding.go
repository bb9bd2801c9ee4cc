package translate

import (
	"regexp"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	matchingv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/matching/v3"
	brotliv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/compression/brotli/decompressor/v3"
	gzipv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/compression/gzip/decompressor/v3"
	zstdv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/compression/zstd/decompressor/v3"
	skipv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/matcher/action/v3"
	bufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	decompressorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/decompressor/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	inputv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/common_inputs/network/v3"
	headerinputv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/filter/policy/engine"
)

// Envoy's decompressors say nothing when a body is damaged or cut short: what could be
// read goes on, and then comes the end. So they get only bodies whose end can be told by
// themselves, and only those in one coding, for of several Envoy would undo the first
// before the last. All others keep their content-encoding, by which the filter knows that
// it cannot read them. What decides is a matcher: Envoy makes the filters of a request
// before the filter knows its model, so no route can turn them on.

// Types of bodies that are decompressed, as RE2.
const (
	jsonTypes         = `application/json|[^;]+\+json`
	requestTypes      = `(?i)(` + jsonTypes + `|multipart/form-data)\s*(;.*)?`
	answerTypes       = `(?i)(` + jsonTypes + `|text/event-stream)\s*(;.*)?`
	decompressedCodes = `(?i)gzip|br|zstd`
)

// answerInflation bounds how much more may come out of a chunk of gzip of an answer than
// goes in. An event that repeats a large part of an earlier one comes to some 200.
const answerInflation = 256

// noDecompression is the runtime key that could turn the other direction on.
const noDecompression = "weir.decompress"

// coding is a content coding, and Envoy's library for it.
type coding struct {
	name    string // as in content-encoding (RFC 9110 section 8.4.1, RFC 7932, RFC 8878)
	library func(inflation uint32) proto.Message
}

// codings are those that Envoy can undo. Deflate is not among them.
var codings = []coding{
	{"gzip", func(inflation uint32) proto.Message {
		g := &gzipv3.Gzip{}
		if inflation > 0 {
			g.MaxInflateRatio = wrapperspb.UInt32(inflation)
		}
		return g
	}},
	{"br", func(uint32) proto.Message { return &brotliv3.Brotli{} }},
	{"zstd", func(uint32) proto.Message { return &zstdv3.Zstd{} }},
}

// requestDecompression stands in front of the filter. The last one collects what comes
// out of the others, no more than limit bytes: they end each body with trailers, in which
// the filter could not write any more, so that it has to know before how long the body is.
func requestDecompression(limit uint32) []*hcmv3.HttpFilter {
	ofType := matches(requestHeader("content-type"), requestTypes)
	filters := []*hcmv3.HttpFilter{
		httpFilter("weir.coded", unless("envoy.filters.http.header_mutation", coded(), matches(requestHeader("content-encoding"), decompressedCodes), ofType)),
	}
	for _, c := range codings {
		d := decompressor(c, 0)
		d.ResponseDirectionConfig = &decompressorv3.Decompressor_ResponseDirectionConfig{CommonConfig: turnedOff()}
		d.RequestDirectionConfig = &decompressorv3.Decompressor_RequestDirectionConfig{CommonConfig: always()}
		filters = append(filters, httpFilter("weir.request."+c.name,
			unless(filterDecompressor, d, equals(requestHeader("content-encoding"), c.name), ofType)))
	}
	whole := &bufferv3.Buffer{MaxRequestBytes: wrapperspb.UInt32(limit)}
	return append(filters, httpFilter("weir.whole", unless("envoy.filters.http.buffer", whole, matches(requestHeader(engine.HeaderCoded), ".+"))))
}

// answerDecompression stands behind the filter, which says of each request whether it
// reads the answer.
func answerDecompression() []*hcmv3.HttpFilter {
	var filters []*hcmv3.HttpFilter
	asked := equals(&inputv3.FilterStateInput{Key: wasmState + engine.PropertyDecompress}, "1")
	for _, c := range codings {
		d := decompressor(c, answerInflation)
		d.RequestDirectionConfig = &decompressorv3.Decompressor_RequestDirectionConfig{
			CommonConfig: turnedOff(), AdvertiseAcceptEncoding: wrapperspb.Bool(false), // the filter says what it wants
		}
		d.ResponseDirectionConfig = &decompressorv3.Decompressor_ResponseDirectionConfig{CommonConfig: always()}
		filters = append(filters, httpFilter("weir.answer."+c.name, unless(filterDecompressor, d, asked,
			equals(responseHeader("content-encoding"), c.name), matches(responseHeader("content-type"), answerTypes))))
	}
	return filters
}

const filterDecompressor = "envoy.filters.http.decompressor"

// decompressor undoes a coding. Its library's name stands in the trailers that it adds.
func decompressor(c coding, inflation uint32) *decompressorv3.Decompressor {
	return &decompressorv3.Decompressor{DecompressorLibrary: &corev3.TypedExtensionConfig{
		Name: engine.DecompressorLibrary, TypedConfig: pack(c.library(inflation)),
	}}
}

// Undone says whether Envoy undoes the content coding of a request with these headers,
// where a policy wants that.
func Undone(contentEncoding, contentType string) bool {
	return undoneCodings.MatchString(contentEncoding) && undoneTypes.MatchString(contentType)
}

// What the matchers look for, in all of a header.
var (
	undoneCodings = regexp.MustCompile(`^(?:` + decompressedCodes + `)$`)
	undoneTypes   = regexp.MustCompile(`^(?:` + requestTypes + `)$`)
)

// always decompresses what may not be transformed too: it is about to be redacted.
func always() *decompressorv3.Decompressor_CommonDirectionConfig {
	return &decompressorv3.Decompressor_CommonDirectionConfig{IgnoreNoTransformHeader: true}
}

func turnedOff() *decompressorv3.Decompressor_CommonDirectionConfig {
	return &decompressorv3.Decompressor_CommonDirectionConfig{Enabled: &corev3.RuntimeFeatureFlag{
		DefaultValue: wrapperspb.Bool(false), RuntimeKey: noDecompression,
	}}
}

// coded marks a request, and takes out what was true of its compressed body.
func coded() *headermutationv3.HeaderMutation {
	mutations := []*mutationv3.HeaderMutation{setHeader(engine.HeaderCoded, "1")}
	for _, name := range []string{"digest", "content-digest", "repr-digest", "content-md5"} {
		mutations = append(mutations, &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: name}})
	}
	return &headermutationv3.HeaderMutation{Mutations: &headermutationv3.Mutations{RequestMutations: mutations}}
}

type predicate = matcherv3.Matcher_MatcherList_Predicate

// unless is a filter that is left out unless all of what is asked for holds.
func unless(name string, filter proto.Message, needs ...*predicate) *matchingv3.ExtensionWithMatcher {
	list := &matcherv3.Matcher_MatcherList{}
	for _, need := range needs {
		list.Matchers = append(list.Matchers, &matcherv3.Matcher_MatcherList_FieldMatcher{
			Predicate: &predicate{MatchType: &matcherv3.Matcher_MatcherList_Predicate_NotMatcher{NotMatcher: need}},
			OnMatch: &matcherv3.Matcher_OnMatch{OnMatch: &matcherv3.Matcher_OnMatch_Action{
				Action: &xdscorev3.TypedExtensionConfig{Name: "skip", TypedConfig: pack(&skipv3.SkipFilter{})},
			}},
		})
	}
	return &matchingv3.ExtensionWithMatcher{
		XdsMatcher:      &matcherv3.Matcher{MatcherType: &matcherv3.Matcher_MatcherList_{MatcherList: list}},
		ExtensionConfig: &corev3.TypedExtensionConfig{Name: name, TypedConfig: pack(filter)},
	}
}

func requestHeader(name string) proto.Message {
	return &headerinputv3.HttpRequestHeaderMatchInput{HeaderName: name}
}

func responseHeader(name string) proto.Message {
	return &headerinputv3.HttpResponseHeaderMatchInput{HeaderName: name}
}

// equals holds if the input is the text, in any case.
func equals(input proto.Message, text string) *predicate {
	return looksLike(input, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: text}, IgnoreCase: true})
}

// matches holds if all of the input matches the expression, which is RE2.
func matches(input proto.Message, expression string) *predicate {
	return looksLike(input, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{
		EngineType: &matcherv3.RegexMatcher_GoogleRe2{GoogleRe2: &matcherv3.RegexMatcher_GoogleRE2{}}, Regex: expression,
	}}})
}

func looksLike(input proto.Message, value *matcherv3.StringMatcher) *predicate {
	return &predicate{MatchType: &matcherv3.Matcher_MatcherList_Predicate_SinglePredicate_{
		SinglePredicate: &matcherv3.Matcher_MatcherList_Predicate_SinglePredicate{
			Input:   &xdscorev3.TypedExtensionConfig{Name: "input", TypedConfig: pack(input)},
			Matcher: &matcherv3.Matcher_MatcherList_Predicate_SinglePredicate_ValueMatch{ValueMatch: value},
		},
	}}
}
