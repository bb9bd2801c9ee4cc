package engine

// headerFacts is what a request's headers say, besides the texts in Stream.
type headerFacts struct {
	plainFacts
	trace [traceBytes]byte   // of traceparent, if traced
	id    identifier         // x-request-id
	rpcID identifier         // request-id, which gRPC clients may send
	path  [maxPathBytes]byte // without its query
}

// plainFacts are those that are no texts. They are reset as one value: of texts TinyGo
// would write every byte, in code for each.
type plainFacts struct {
	method       method
	hasPath      bool
	escaped      bool  // the path holds an encoded slash or backslash
	length       int64 // content-length, none if there is none
	mediaType    mediaType
	encoded      bool // a content-encoding other than identity
	compressible bool // accept-encoding: the answer may be compressed
	ranged       bool // range or if-range: the answer may be a part of one
	compresses   bool // grpc-encoding other than identity: messages may be compressed
	answers      bool // grpc-accept-encoding: messages of the answer may be compressed
	binary       bool // inference-header-content-length: JSON followed by raw tensors
	foreign      bool // JSON that is not in UTF-8, it says
	traced       bool // traceparent names a trace
	forged       bool // baggage has members that only the filter may write
	described    described
	hasModel     bool // x-model
	hasTokens    bool // x-max-tokens
	hasHeat      bool // x-temperature
	trusted      bool // the peer may send those three
	maxTokens    int64
	temperature  int64 // thousandths
	badTokens    bool
	badHeat      bool
	pathBytes    int
}

// maxPathBytes is longer than any path that can be answered: names of models and
// versions are bounded, and a percent sign makes each byte three.
const maxPathBytes = 768

type method uint8

const (
	methodOther method = iota
	methodGet          // GET and HEAD
	methodPost
)

type mediaType uint8

const (
	mediaAbsent mediaType = iota
	mediaJSON
	mediaGRPC      // with protocol buffers in it
	mediaGRPCOther // with something else
	mediaOther
	mediaText  // in UTF-8
	mediaForm  // application/x-www-form-urlencoded, in UTF-8
	mediaParts // multipart/form-data
)

// maxTokenCount bounds the token numbers that a request may name.
const maxTokenCount = 1<<31 - 1

// maxTemperature is the highest temperature, in thousandths.
const maxTemperature = 2000

// Header takes one request header. Names are in lower case; name and value are
// not kept.
func (s *Stream) Header(name, value []byte) {
	s.ownHeader(view(name), value)
	if len(s.program.doc.Attributes) > 0 {
		s.learn(view(name), value)
	}
	settings := &s.program.doc.Settings
	if settings.TenantHeader != "" && view(name) == settings.TenantHeader {
		s.identify(&s.tenant, settings.TenantHeader, value)
	}
	if settings.UserHeader != "" && view(name) == settings.UserHeader {
		s.identify(&s.user, settings.UserHeader, value)
	}
	if s.program.readsKeys {
		s.keyHeader(view(name), value)
	}
	for i := range s.program.headers {
		h := &s.program.headers[i]
		if view(name) == h.name && len(value) > 0 && s.versionValues[i] == headerAbsent {
			s.versionValues[i] = h.find(view(value))
		}
	}
}

// ownHeader takes the headers whose names no policy chooses.
func (s *Stream) ownHeader(name string, value []byte) {
	f := &s.facts
	switch name {
	case ":method":
		f.method = parseMethod(view(value))
	case ":path":
		f.setPath(value)
	case "content-type":
		f.mediaType = parseMediaType(view(value))
		f.foreign = f.mediaType == mediaJSON && !looksASCII(view(value))
		if f.mediaType == mediaParts && !s.plain.parts.Reset(bytesOf(mediaParameter(view(value), "boundary"))) {
			f.mediaType = mediaOther
		}
	case "content-length":
		f.length = none
		if n, ok := parseCount(value, 1<<62); ok {
			f.length = n
		}
	case "content-encoding":
		f.encoded = f.encoded || !equalFold(view(value), "identity")
	case "accept-encoding":
		f.compressible = true
	case "traceparent":
		f.setTrace(value)
	case "range", "if-range":
		f.ranged = true
	case headerRequestID:
		f.id.set(value)
	case "request-id":
		f.rpcID.set(value)
	case headerBaggage:
		f.forged = f.forged || forgesBaggage(value)
	case "grpc-encoding":
		f.compresses = !equalFold(view(value), "identity")
	case headerGRPCAccept:
		f.answers = true
	case "inference-header-content-length":
		f.binary = true
	case headerTrustedModel:
		f.hasModel = true
		s.trustedModel.set(value)
	case headerTrustedMaxTokens:
		n, ok := parseCount(value, maxTokenCount)
		f.hasTokens, f.maxTokens, f.badTokens = true, n, !ok || n == 0
	case headerTrustedTemperature:
		n, ok := parseTemperature(value)
		f.hasHeat, f.temperature, f.badHeat = true, n, !ok
	default:
		if hasPrefix(name, headerPrefix) {
			s.removeClientHeader(name)
		}
		f.described.note(name)
	}
}

// identify remembers a tenant or user. Two different ones, or one that is too
// long, would be counted as somebody else by part of the gateway, so that is 400.
func (s *Stream) identify(who *text, header string, value []byte) {
	again := who.n > 0 && view(who.bytes()) != view(value)
	who.set(value)
	if who.over {
		s.refuseParameter(header, "is longer than 512 bytes")
	} else if again {
		s.refuseParameter(header, "has two values")
	}
}

// removeClientHeader removes a header that only the filter may set. More of them
// than an honest mistake explains are answered 400.
func (s *Stream) removeClientHeader(name string) {
	if s.edits.has(name) {
		return
	}
	const room = 22 // for the filter's own edits
	kept, ok := s.scratch.keep([]byte(name))
	if !ok || s.scratch.n > removalBytes || s.edits.n >= maxEdits-room {
		s.refuseParameter("x-weir-*", "may not be sent by clients")
		return
	}
	s.edits.remove(view(kept))
}

// setPath keeps the path without its query, and notes encoded slashes.
func (f *headerFacts) setPath(value []byte) {
	f.hasPath = true
	n := 0
	for n < len(value) && value[n] != '?' {
		if value[n] == '%' && n+2 < len(value) {
			hi, ok1 := hexValue(value[n+1])
			lo, ok2 := hexValue(value[n+2])
			c := hi<<4 | lo
			f.escaped = f.escaped || ok1 && ok2 && (c == '/' || c == '\\')
		}
		n++
	}
	f.pathBytes = copy(f.path[:], value[:n])
	if n > maxPathBytes {
		f.pathBytes = 0 // no such path
	}
}

func parseMethod(name string) method {
	switch name {
	case "GET", "HEAD":
		return methodGet
	case "POST":
		return methodPost
	}
	return methodOther
}

// parseMediaType says whether a content-type is gRPC's, as Envoy tells it, or JSON's:
// application/json or anything with the suffix +json (RFC 6839), with any parameters.
//
//go:noinline
func parseMediaType(value string) mediaType {
	whole, end := value, 0
	for end < len(value) && value[end] != ';' {
		end++
	}
	for end > 0 && (value[end-1] == ' ' || value[end-1] == '\t') {
		end--
	}
	value = value[:end]
	const suffix, grpc = "+json", "application/grpc"
	if len(value) >= len(grpc) && equalFold(value[:len(grpc)], grpc) {
		switch codec := value[len(grpc):]; {
		case codec == "", equalFold(codec, "+proto"):
			return mediaGRPC
		case codec[0] == '+':
			return mediaGRPCOther
		}
	}
	if equalFold(value, "application/json") || len(value) > len(suffix) && equalFold(value[len(value)-len(suffix):], suffix) {
		return mediaJSON
	}
	switch {
	case value == "":
		return mediaAbsent
	case equalFold(value, "multipart/form-data"):
		return mediaParts
	case !inUTF8(whole):
	case len(value) > len("text/") && equalFold(value[:len("text/")], "text/"):
		return mediaText
	case equalFold(value, "application/x-www-form-urlencoded"):
		return mediaForm
	}
	return mediaOther
}

// trustPeer honours x-model, x-max-tokens and x-temperature if the peer proved an
// identity that may send them, and removes them otherwise.
func (s *Stream) trustPeer() bool {
	f := &s.facts
	if !f.hasModel && !f.hasTokens && !f.hasHeat {
		return true
	}
	peer := s.host.Peer()
	for _, id := range s.program.doc.Settings.TrustedPeers {
		f.trusted = f.trusted || len(peer) > 0 && view(peer) == id
	}
	if f.trusted {
		switch {
		case f.badTokens:
			return s.refuseParameter(headerTrustedMaxTokens, "must be a whole number from 1")
		case f.badHeat:
			return s.refuseParameter(headerTrustedTemperature, "must be a number from 0 to 2")
		}
		return true
	}
	if f.hasModel {
		s.edits.remove(headerTrustedModel)
	}
	if f.hasTokens {
		s.edits.remove(headerTrustedMaxTokens)
	}
	if f.hasHeat {
		s.edits.remove(headerTrustedTemperature)
	}
	f.hasModel, f.hasTokens, f.hasHeat = false, false, false
	return true
}
