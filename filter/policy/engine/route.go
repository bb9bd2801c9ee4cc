package engine

import "github.com/weirmesh/weir/filter/policy/oip"

// route is what the method and path ask for.
type route struct {
	kind       routeKind
	inference  bool // limits count it
	embeds     bool // the answer is no text: it has no output tokens and no temperature
	reports    bool // a stream says its usage if it is asked to by stream_options
	hasModel   bool // pathModel
	hasVersion bool // pathVersion
	message    oip.Kind
}

type routeKind uint8

const (
	routeUnknown routeKind = iota
	routeInvalid           // a path that cannot be read safely
	routeModels            // GET /v1/models
	routeModel             // GET /v1/models/{id}, the id in pathModel
	routeServer            // GET /v2
	routeHealth            // GET /v2/health/live and /ready
	routeUpstream
)

// Paths of the OpenAI API whose body names the model.
var bodyPaths = [...]string{
	pathChat, pathCompletions, pathEmbeddings, pathResponses, pathMessages,
}

// Parts of paths of the OpenAI API and of the Open Inference Protocol v2.
const (
	pathChat        = "/v1/chat/completions"
	pathCompletions = "/v1/completions"
	pathEmbeddings  = "/v1/embeddings"
	pathResponses   = "/v1/responses"
	pathMessages    = "/v1/messages" // Anthropic's
	pathModels      = "/v1/models"
	pathServer      = "/v2"
	pathLive        = "/v2/health/live"
	pathReady       = "/v2/health/ready"
	pathV2Models    = "/v2/models/"
	partVersions    = "/versions/"
	actionReady     = "ready"
	actionConfig    = "config"
	actionStats     = "stats"
	actionInfer     = "infer"
	actionText      = "generate"
	actionStream    = "generate_stream"
)

// Answers to the server paths of the Open Inference Protocol v2: they are about
// the gateway, which is up if it can give them.
var (
	bodyLive   = []byte(`{"live":true}`)
	bodyReady  = []byte(`{"ready":true}`)
	bodyServer = []byte(`{"name":"weir","version":"v1alpha1","extensions":[]}`)
)

// classify finds the route of the request and the names in its path.
func (s *Stream) classify() route {
	f := &s.facts
	path := view(f.path[:f.pathBytes])
	if f.escaped {
		return route{kind: routeInvalid}
	}
	if s.isRPC() {
		return f.classifyRPC(path)
	}
	if f.method == methodPost {
		for _, p := range bodyPaths {
			if path == p {
				return route{
					kind: routeUpstream, inference: true, embeds: p == pathEmbeddings,
					reports: p == pathChat || p == pathCompletions,
				}
			}
		}
	}
	if hasPrefix(path, pathV2Models) {
		return s.classifyV2(path[len(pathV2Models):])
	}
	if f.method != methodGet {
		return route{}
	}
	switch path {
	case pathModels:
		return route{kind: routeModels}
	case pathServer:
		return route{kind: routeServer}
	case pathLive, pathReady:
		return route{kind: routeHealth}
	}
	const prefix = pathModels + "/"
	if hasPrefix(path, prefix) && percentDecode(&s.pathModel, path[len(prefix):]) {
		return route{kind: routeModel, hasModel: true}
	}
	return route{}
}

// classifyV2 reads {model}[/versions/{version}][/{action}].
func (s *Stream) classifyV2(rest string) route {
	name, rest := cut(rest)
	if !percentDecode(&s.pathModel, name) || s.pathModel.n == 0 {
		return route{}
	}
	r := route{kind: routeUpstream, hasModel: true}
	if hasPrefix(rest, partVersions) {
		name, rest = cut(rest[len(partVersions):])
		if !percentDecode(&s.pathVersion, name) || s.pathVersion.n == 0 {
			return route{}
		}
		r.hasVersion = true
	}
	action := ""
	if rest != "" {
		if action = rest[1:]; action == "" {
			return route{}
		}
	}
	switch action {
	case "", actionReady, actionConfig, actionStats:
		if s.facts.method != methodGet {
			return route{}
		}
	case actionInfer, actionText, actionStream:
		if s.facts.method != methodPost {
			return route{}
		}
		r.inference = true
	default:
		return route{}
	}
	return r
}

// cut splits a path before its next slash.
func cut(path string) (segment, rest string) {
	for i := 0; i < len(path); i++ {
		if path[i] == '/' {
			return path[:i], path[i:]
		}
	}
	return path, ""
}

// answerable says whether the request is one for upstream; the others get their
// reply here.
func (s *Stream) answerable() bool {
	switch s.route.kind {
	case routeUpstream:
		return true
	case routeInvalid:
		return s.refuse(&badPath, "", "The path holds an encoded slash or backslash.")
	case routeModels:
		return s.answer(s.program.catalog.list)
	case routeServer:
		return s.answer(bodyServer)
	case routeHealth:
		if s.facts.pathBytes == len(pathLive) {
			return s.answer(bodyLive)
		}
		return s.answer(bodyReady)
	case routeModel:
		if o := s.program.catalog.object(view(s.pathModel.bytes())); o != nil {
			return s.answer(o)
		}
		return s.refuseModel(&s.pathModel)
	}
	return s.refuse(&unknownURL, "", "There is nothing at this method and path.")
}
