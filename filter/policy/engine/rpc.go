package engine

import (
	"math"

	"github.com/weirmesh/weir/filter/policy/jsonscan"
	"github.com/weirmesh/weir/filter/policy/oip"
)

// headerGRPCAccept lists the compressions that a client understands.
const headerGRPCAccept = "grpc-accept-encoding"

// isRPC says whether the client speaks gRPC: it reads statuses, whatever it asked for.
func (s *Stream) isRPC() bool {
	return s.facts.mediaType == mediaGRPC || s.facts.mediaType == mediaGRPCOther
}

// classifyRPC finds the route of a method of the Open Inference Protocol's service.
func (f *headerFacts) classifyRPC(path string) route {
	if f.method != methodPost || !hasPrefix(path, oip.Service) {
		return route{}
	}
	switch path[len(oip.Service):] {
	case "ModelInfer":
		return route{kind: routeUpstream, inference: true, message: oip.Request}
	case "ModelReady", "ModelMetadata":
		return route{kind: routeUpstream, message: oip.Named}
	case "ServerLive", "ServerReady", "ServerMetadata":
		return route{kind: routeUpstream, message: oip.Empty}
	}
	return route{}
}

// rpc reads the message of a gRPC request for what the decision needs. It is the
// sink of the scanner.
type rpc struct {
	s       *Stream
	scanner oip.Scanner
	field   oip.Field
}

// readRPC takes a piece of a gRPC body in; end says that it is the last.
func (s *Stream) readRPC(p []byte, end bool) error {
	if err := s.rpc.scanner.Scan(p, &s.rpc); err != nil {
		return err
	}
	if end {
		if err := s.rpc.scanner.Close(); err != nil {
			return err
		}
	}
	return s.out.Write(p)
}

// Start is part of oip.Sink, like the methods below.
func (r *rpc) Start(f oip.Field) {
	if r.field = f; f == oip.Text {
		r.s.in.estimate.StringStart()
	}
}

// Bytes remembers names and estimates the tokens of texts.
func (r *rpc) Bytes(p []byte) {
	switch r.field {
	case oip.Model:
		r.s.in.model.append(p)
	case oip.Version:
		r.s.pathVersion.append(p)
	default:
		r.s.in.estimate.Bytes(p)
	}
}

// End looks the model up.
func (r *rpc) End() error {
	s := r.s
	switch r.field {
	case oip.Model:
		if !s.early && (s.in.model.n > 0 || s.in.model.over) && !s.setModel(&s.in.model) {
			return errReplied
		}
	case oip.Version:
		s.route.hasVersion = s.pathVersion.n > 0
	default:
		s.in.estimate.StringEnd()
	}
	return nil
}

// Parameter takes a parameter of the request that has the name and the meaning of
// one of the OpenAI API.
func (r *rpc) Parameter(name []byte, v *oip.Value) error {
	in := &r.s.in
	for p := paramUser; p < paramStreamOptions; p++ {
		if p == paramStream || view(name) != paramNames[p] { // ModelInfer has one answer
			continue
		}
		err := in.found(p)
		in.param = paramNone
		if err != nil || v.Kind == oip.None {
			return err
		}
		return in.demand(in.takeValue(p, v), p)
	}
	return nil
}

// takeValue takes the value of a parameter and says whether it is one.
func (in *inspector) takeValue(p param, v *oip.Value) bool {
	switch {
	case v.Kind == oip.String && p == paramUser:
		in.user.set(v.Text)
		return !v.Over
	case v.Kind == oip.String:
		return len(v.Text) <= maxScalar && in.take(p, v.Text)
	case v.Kind == oip.Bool:
		return false
	case v.Kind == oip.Double && p == paramTemperature:
		return in.takeHeat(math.Float64frombits(v.Bits))
	}
	n := v.Bits
	if v.Kind == oip.Double {
		d := math.Float64frombits(v.Bits)
		if !(d >= 0 && d <= maxTokenCount) || d != float64(uint64(d)) {
			return false
		}
		n = uint64(d)
	}
	if n > maxTokenCount {
		return false
	}
	var digits [maxScalar]byte
	return in.take(p, jsonscan.AppendInt(digits[:0], int64(n)))
}

// takeHeat takes a temperature: in thousandths, rounded up but for what a float
// cannot say.
func (in *inspector) takeHeat(d float64) bool {
	const micro = 1_000_000
	if !(d >= 0 && d <= maxTemperature) {
		return false
	}
	in.temperature = ceilDiv(int64(d*micro+0.5), micro/1000)
	return in.temperature <= maxTemperature
}

// anyModel gives a request about the server, which names no model, the first one
// that is served over gRPC: Envoy cannot send a message of the filter's own.
func (s *Stream) anyModel() {
	if !s.isRPC() || s.route.message != oip.Empty || s.model >= 0 {
		return
	}
	for i := range s.program.doc.Models {
		if s.program.doc.Models[i].GRPC {
			s.model = i
			return
		}
	}
}

// admitRPC refuses a gRPC request whose model is not served over gRPC.
func (s *Stream) admitRPC() bool {
	if !s.isRPC() {
		return true
	}
	m := &s.program.doc.Models[s.model]
	if !m.GRPC {
		return s.refuse(&notServed, "model", "The model `", m.Name, "` is not served over gRPC.")
	}
	return true
}

// refuseMessage answers a message that cannot be read.
func (s *Stream) refuseMessage(err oip.Error) bool {
	if err == oip.ErrCompressed && s.facts.compresses {
		s.refuse(&badEncoding, "", "The gateway reads messages that are not compressed.")
		s.replyHeader(headerGRPCAccept, identity)
		return false
	}
	why := &badMessage
	if err == oip.ErrCompressed {
		why = &strayFlag
	}
	at := view(s.scratch.integer(s.rpc.scanner.Offset()))
	return s.refuse(why, "", "The message cannot be read: ", err.Error(), " (at byte ", at, ").")
}

var identity = []byte("identity")

// Statuses of gRPC, https://grpc.io/docs/guides/status-codes/.
const (
	grpcInvalidArgument   = 3
	grpcNotFound          = 5
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
	grpcUnauthenticated   = 16
)

// grpcStatus is what a gRPC client is told instead of the HTTP status.
func (r *refusal) grpcStatus() int32 {
	switch {
	case r == &unknownURL, r.status == 415, r.status == 501:
		return grpcUnimplemented
	case r == &strayFlag, r.status == 500, r.status == 502:
		return grpcInternal
	case r == &overloaded, r.status == 503:
		return grpcUnavailable
	case r.status == 401:
		return grpcUnauthenticated
	case r.status == 403:
		return grpcPermissionDenied
	case r.status == 404:
		return grpcNotFound
	case r.status == 413, r.status == 429:
		return grpcResourceExhausted
	}
	return grpcInvalidArgument
}

// pushBack tells a gRPC client when to try again, as
// https://github.com/grpc/proposal/blob/master/A6-client-retries.md has it: in
// milliseconds, or never.
func (s *Stream) pushBack() {
	const most = 9 // digits; who has to wait longer need not
	for _, h := range s.response.all() {
		wait := h.Value
		switch h.Name {
		case "x-should-retry":
			wait = never
		case "retry-after-ms":
			if len(wait) > most {
				wait = never
			}
		default:
			continue
		}
		s.response.set("grpc-retry-pushback-ms", wait)
		break
	}
	s.reply.Headers = s.response.all()
}

var never = []byte("-1")
