package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/xds-server/internal/inference"
)

// model server of the Open Inference Protocol: it answers with the texts that it was
// sent, and says in metadata which server it is and what it was told.
type inferenceServer struct {
	inference.UnimplementedGRPCInferenceServiceServer

	name string
	mu   sync.Mutex
	told metadata.MD // metadata of the last call
	late bool        // it had a deadline

	asked *inference.ModelInferRequest // the last one
}

func startInference(t *testing.T, name string) (*inferenceServer, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &inferenceServer{name: name}
	server := grpc.NewServer()
	inference.RegisterGRPCInferenceServiceServer(server, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // it is stopped
	}()
	t.Cleanup(func() { server.Stop(); <-done })
	return s, l.Addr().String()
}

func (s *inferenceServer) hear(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told, _ = metadata.FromIncomingContext(ctx)
	_, s.late = ctx.Deadline()
	_ = grpc.SetHeader(ctx, metadata.Pairs("served-by", s.name)) // it may be too late for it
}

// heard is the metadata of the last call.
func (s *inferenceServer) heard() metadata.MD {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told
}

func (s *inferenceServer) ServerLive(ctx context.Context, _ *inference.ServerLiveRequest) (*inference.ServerLiveResponse, error) {
	s.hear(ctx)
	return &inference.ServerLiveResponse{Live: true}, nil
}

func (s *inferenceServer) ModelReady(ctx context.Context, r *inference.ModelReadyRequest) (*inference.ModelReadyResponse, error) {
	s.hear(ctx)
	return &inference.ModelReadyResponse{Ready: r.GetName() != ""}, nil
}

func (s *inferenceServer) ModelInfer(ctx context.Context, r *inference.ModelInferRequest) (*inference.ModelInferResponse, error) {
	s.hear(ctx)
	s.mu.Lock()
	s.asked = r
	s.mu.Unlock()
	answer := &inference.ModelInferResponse{ModelName: r.GetModelName(), Id: r.GetId(), Parameters: map[string]*inference.InferParameter{}}
	for _, in := range r.GetInputs() {
		answer.Outputs = append(answer.Outputs, &inference.ModelInferResponse_InferOutputTensor{
			Name: in.GetName(), Datatype: in.GetDatatype(), Shape: in.GetShape(), Contents: in.GetContents(),
		})
	}
	switch r.GetId() {
	case "fail":
		return nil, status.Error(codes.FailedPrecondition, "the model says no: 100 %")
	case "blame":
		return nil, status.Error(codes.InvalidArgument, "cannot read "+strangerPhone+", 100 % 对")
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case "usage":
		answer.Parameters["prompt_tokens"] = number(3)
		answer.Parameters["completion_tokens"] = number(7)
	case "tell":
		answer.Parameters["by"] = words("call 13912345678")
		answer.Outputs[0].Contents = nil
		answer.RawOutputContents = [][]byte{rawTexts("write to bob@example.com", strings.Repeat("long ", 20_000)+"13912345678", "")}
	}
	return answer, nil
}

func number(n int64) *inference.InferParameter {
	return &inference.InferParameter{ParameterChoice: &inference.InferParameter_Int64Param{Int64Param: n}}
}

func words(text string) *inference.InferParameter {
	return &inference.InferParameter{ParameterChoice: &inference.InferParameter_StringParam{StringParam: text}}
}

// rawTexts is the raw content of a BYTES tensor.
func rawTexts(texts ...string) (raw []byte) {
	for _, text := range texts {
		raw = append(binary.LittleEndian.AppendUint32(raw, uint32(len(text))), text...)
	}
	return raw
}

// question asks a model with a text.
func question(model, id, text string, tokens int64) *inference.ModelInferRequest {
	r := &inference.ModelInferRequest{ModelName: model, Id: id, Inputs: []*inference.ModelInferRequest_InferInputTensor{{
		Name: "text", Datatype: "BYTES", Shape: []int64{1}, Contents: &inference.InferTensorContents{BytesContents: [][]byte{[]byte(text)}},
	}}}
	if tokens > 0 {
		r.Parameters = map[string]*inference.InferParameter{"max_tokens": number(tokens)}
	}
	return r
}

// rpcGateway is a gateway with models that are served over gRPC, and a client of it.
type rpcGateway struct {
	*plane
	v1, v2 *inferenceServer
	client inference.GRPCInferenceServiceClient
}

func startRPC(t *testing.T) *rpcGateway {
	t.Helper()
	g := &rpcGateway{}
	var first, second string
	g.v1, first = startInference(t, "one")
	g.v2, second = startInference(t, "two")
	rest := upstream(t)
	g.plane = startPlane(t, func(p *plane) {
		p.gatewayHas(t, "", "  accessLog: true\n")
		p.write(t, "models.yaml", model("chat", []version{{"v1", first, "grpc: true"}, {"v2", second, "grpc: true"}}, []int{100, 0}, "")+
			model("costly", []version{{"v1", first, "grpc: true"}}, []int{100}, "")+
			model("private", []version{{"v1", first, "grpc: true"}}, []int{100}, "")+
			model("gone", []version{{"v1", loopback(freePort(t)), "grpc: true"}}, []int{100}, "")+
			sole("rest", rest.Address())+`
---
apiVersion: weir.dev/v1alpha1
kind: TokenLimit
metadata: {name: few}
spec:
  models: [costly]
  key: [user]
  tokens: {perSecond: 0.001, burst: 1000}
---
apiVersion: weir.dev/v1alpha1
kind: RedactionPolicy
metadata: {name: personal}
spec:
  models: [private]
  entities: [{kind: phone, mode: mask}, {kind: email, mode: token}]
`)
	})
	conn, err := grpc.NewClient("passthrough:///"+loopback(g.gateway), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	g.client = inference.NewGRPCInferenceServiceClient(conn)
	return g
}

// TestGRPC speaks the Open Inference Protocol as grpc-go does, through everything
// that ships.
func TestGRPC(t *testing.T) {
	g := startRPC(t)
	t.Run("answers", func(t *testing.T) { testRPCAnswers(t, g) })
	t.Run("redaction", func(t *testing.T) { testRPCRedaction(t, g) })
	t.Run("refusals", func(t *testing.T) { testRPCRefusals(t, g) })
	t.Run("limits", func(t *testing.T) { testRPCLimits(t, g) })
	t.Run("decision", func(t *testing.T) { testDecision(t, g) })
	t.Run("deadline", func(t *testing.T) { testRPCDeadline(t, g) })
}

func testRPCAnswers(t *testing.T, g *rpcGateway) {
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-weir-version", "v2", "x-weir-forged", "1", "x-own", "kept")
	var header metadata.MD
	answer, err := g.client.ModelInfer(ctx, question("chat", "id-1", "hello", 0), grpc.Header(&header))
	if err != nil {
		t.Fatal(err)
	}
	if answer.GetId() != "id-1" || string(answer.GetOutputs()[0].GetContents().GetBytesContents()[0]) != "hello" {
		t.Errorf("answer %v", answer)
	}
	if got := header.Get("x-weir-version"); !slices.Equal(got, []string{"v1"}) {
		t.Errorf("version %q: all weight is on v1", got)
	}
	told := g.v1.heard()
	if len(told.Get("x-weir-forged")) != 0 || !slices.Equal(told.Get("x-own"), []string{"kept"}) || !slices.Equal(told.Get("x-weir-version"), []string{"v1"}) {
		t.Errorf("the model was told %v", told)
	}
	forced := question("chat", "", "hello", 0)
	forced.ModelVersion = "v2"
	if _, err := g.client.ModelInfer(t.Context(), forced, grpc.Header(&header)); err != nil || !slices.Equal(header.Get("served-by"), []string{"two"}) {
		t.Errorf("%v, served by %q", err, header.Get("served-by"))
	}
	if ready, err := g.client.ModelReady(t.Context(), &inference.ModelReadyRequest{Name: "chat", Version: "v2"}, grpc.Header(&header)); err != nil || !ready.GetReady() || header.Get("served-by")[0] != "two" {
		t.Errorf("%v, %v, served by %q", ready, err, header.Get("served-by"))
	}
	if live, err := g.client.ServerLive(t.Context(), &inference.ServerLiveRequest{}); err != nil || !live.GetLive() {
		t.Errorf("%v, %v", live, err)
	}
	if _, err := g.client.ModelInfer(t.Context(), question("chat", "", strings.Repeat("long ", 100_000), 0)); err != nil {
		t.Errorf("half a megabyte: %v", err)
	}
}

func testRPCRefusals(t *testing.T, g *rpcGateway) {
	badVersion := question("chat", "", "x", 0)
	badVersion.ModelVersion = "v9"
	badCap := question("chat", "", "x", 0)
	badCap.Parameters = map[string]*inference.InferParameter{"temperature": number(7)}
	for _, tt := range []struct {
		name    string
		request *inference.ModelInferRequest
		options []grpc.CallOption
		code    codes.Code
		message string
	}{
		{"unknown model", question("nobody", "", "x", 0), nil, codes.NotFound, "The model `nobody` does not exist. Known models: chat"},
		{"unknown version", badVersion, nil, codes.NotFound, "version"},
		{"no model", question("", "", "x", 0), nil, codes.InvalidArgument, "names no model"},
		{"bad parameter", badCap, nil, codes.InvalidArgument, "Invalid temperature: it must be a number from 0 to 2."},
		{"not over gRPC", question("rest", "", "x", 0), nil, codes.Unimplemented, "not served over gRPC"},
		{"compressed", question("chat", "", "x", 0), []grpc.CallOption{grpc.UseCompressor(gzip.Name)}, codes.Unimplemented, "not compressed"},
		{"too large", question("chat", "", strings.Repeat("x", 2<<20), 0), nil, codes.ResourceExhausted, "longer than 1048576 bytes"},
		{"upstream says no", question("chat", "fail", "x", 0), nil, codes.FailedPrecondition, "the model says no: 100 %"},
		{"upstream is gone", question("gone", "", "x", 0), nil, codes.Unavailable, "upstream_reset_before_response_started"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := g.client.ModelInfer(t.Context(), tt.request, tt.options...)
			if got := status.Convert(err); got.Code() != tt.code || !strings.Contains(got.Message(), tt.message) {
				t.Errorf("%s: %q, want %s: %q", got.Code(), got.Message(), tt.code, tt.message)
			}
		})
	}
	if _, err := g.client.ServerMetadata(t.Context(), &inference.ServerMetadataRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("what the model's server does not have: %v", err)
	}
}

// testRPCRedaction sends personal data both ways: the model gets none of it, and the caller
// gets back what was the caller's.
func testRPCRedaction(t *testing.T, g *rpcGateway) {
	const mail = "ask alice@example.com"
	q := question("private", "", mail+" or 13812345678", 0)
	q.Parameters = map[string]*inference.InferParameter{"who": words("alice@example.com")}
	answer, err := g.client.ModelInfer(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	g.v1.mu.Lock()
	asked := g.v1.asked
	g.v1.mu.Unlock()
	text, who := string(asked.GetInputs()[0].GetContents().GetBytesContents()[0]), asked.GetParameters()["who"].GetStringParam()
	if !strings.HasPrefix(who, "[EMAIL_1_") || text != "ask "+who+" or 138****5678" {
		t.Errorf("the model was asked %q by %q", text, who)
	}
	if got := string(answer.GetOutputs()[0].GetContents().GetBytesContents()[0]); got != mail+" or 138****5678" {
		t.Errorf("the caller got %q", got)
	}
	answer, err = g.client.ModelInfer(t.Context(), question("private", "tell", "hello", 0))
	if err != nil {
		t.Fatal(err)
	}
	want := rawTexts("write to <EMAIL>", strings.Repeat("long ", 20_000)+"139****5678", "")
	if by := answer.GetParameters()["by"].GetStringParam(); by != "call 139****5678" || !bytes.Equal(answer.GetRawOutputContents()[0], want) {
		t.Errorf("the caller was told by %q %.60q", by, answer.GetRawOutputContents()[0])
	}
	_, err = g.client.ModelInfer(t.Context(), question("private", "blame", "hello", 0))
	if got := status.Convert(err); got.Code() != codes.InvalidArgument || got.Message() != "cannot read 139****4321, 100 % 对" {
		t.Errorf("the call failed with %v", err)
	}
}

// testRPCLimits fills a budget of 1,000 tokens that hardly refills.
func testRPCLimits(t *testing.T, g *rpcGateway) {
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-user-id", "u")
	var header, trailer metadata.MD
	for range 2 { // the second sees what the first has cost: 10 tokens of 503
		if _, err := g.client.ModelInfer(ctx, question("costly", "usage", "hello", 500), grpc.Header(&header)); err != nil {
			t.Fatal(err)
		}
	}
	if left := header.Get("x-ratelimit-remaining-tokens"); !slices.Equal(left, []string{"489"}) {
		t.Errorf("remaining %q, want 1000 - 10 - 501", left)
	}
	_, err := g.client.ModelInfer(ctx, question("costly", "", "hello", 985), grpc.Trailer(&trailer))
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(status.Convert(err).Message(), "Please try again in") {
		t.Errorf("%v", err)
	}
	if wait := trailer.Get("grpc-retry-pushback-ms"); len(wait) != 1 || wait[0] == "-1" || !slices.Equal(wait, trailer.Get("retry-after-ms")) {
		t.Errorf("trailers %v", trailer)
	}
	_, err = g.client.ModelInfer(ctx, question("costly", "", "hello", 5000), grpc.Trailer(&trailer))
	if status.Code(err) != codes.ResourceExhausted || !slices.Equal(trailer.Get("grpc-retry-pushback-ms"), []string{"-1"}) {
		t.Errorf("%v, trailers %v", err, trailer)
	}
	if _, err := g.client.ModelInfer(ctx, question("costly", "fail", "hello", 500), grpc.Trailer(&trailer)); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("%v", err)
	}
	if _, err := g.client.ModelInfer(ctx, question("costly", "usage", "hello", 500), grpc.Header(&header)); err != nil {
		t.Fatal(err)
	}
	if left := header.Get("x-ratelimit-remaining-tokens"); !slices.Equal(left, []string{"478"}) {
		t.Errorf("remaining %q, want what was left less the prompt of the call that failed", left)
	}
}

// testDecision asks over both protocols for the same user: what was decided is the
// same, goes upstream and back, and cannot be forged.
func testDecision(t *testing.T, g *rpcGateway) {
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-user-id", "alice", "request-id", "my-call",
		"baggage", "mine=1, weir.model=forged", "x-weir-decision", "forged")
	var header metadata.MD
	if _, err := g.client.ModelInfer(ctx, question("chat", "", "x", 0), grpc.Header(&header)); err != nil {
		t.Fatal(err)
	}
	told, decision := g.v1.heard(), strings.Join(header.Get("x-weir-decision"), "|")
	if !slices.Equal(told.Get("x-weir-decision"), []string{decision}) || !slices.Equal(told.Get("baggage"), []string{decision + ",mine=1"}) {
		t.Errorf("the model was told %q and %q, the client %q", told.Get("x-weir-decision"), told.Get("baggage"), decision)
	}
	if !slices.Equal(told.Get("x-request-id"), []string{"my-call"}) || !slices.Equal(header.Get("x-request-id"), []string{"my-call"}) {
		t.Errorf("request ids %q, %q", told.Get("x-request-id"), header.Get("x-request-id"))
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+loopback(g.gateway)+"/v2/models/chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	const id = "0f2f4a1e-8a4f-4e5b-9a6e-0123456789ab"
	req.Header.Set("x-user-id", "alice")
	req.Header.Set("x-request-id", id)
	a, err := send(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.header.Get("x-request-id"); got != id {
		t.Errorf("request id %q", got)
	}
	other := a.header.Get("x-weir-decision")
	same, _, _ := strings.Cut(decision, ",weir.request=")
	if !strings.HasPrefix(other, same+",weir.request="+id) {
		t.Errorf("over gRPC %s, over HTTP %s", decision, other)
	}
	eventually(t, 30*time.Second, func() error {
		if text := g.log.text(); !strings.Contains(text, `\"model\":\"chat\",\"version\":\"v1\",\"versionBy\":\"route\"`) {
			return errors.New("the access log does not say which version was taken")
		}
		return nil
	})
}

// Client and model have the same deadline. Where the model's clock strikes first, it
// resets its stream, which Envoy tells as UNAVAILABLE.
func testRPCDeadline(t *testing.T, g *rpcGateway) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // it must reach the model before
	defer cancel()
	_, err := g.client.ModelInfer(ctx, question("chat", "wait", "x", 0))
	if code := status.Code(err); code != codes.DeadlineExceeded && (code != codes.Unavailable || !strings.Contains(err.Error(), "remote reset")) {
		t.Errorf("%v", err)
	}
	g.v1.mu.Lock()
	defer g.v1.mu.Unlock()
	if !g.v1.late {
		t.Error("the model was not told of the deadline")
	}
}
