package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	adminv1 "github.com/weirmesh/weir/xds-server/api/admin/v1"
	"github.com/weirmesh/weir/xds-server/internal/admin/view"
)

// jsonPaths serve the admin API in protobuf's JSON mapping.
func (s *Server) jsonPaths() *http.ServeMux {
	mux := http.NewServeMux()
	handle(mux, s, "GET /v1/nodes", adminv1.Admin_ListNodes_FullMethodName, s.service.ListNodes)
	handle(mux, s, "GET /v1/resources", adminv1.Admin_ListResources_FullMethodName, s.service.ListResources)
	handle(mux, s, "GET /v1/snapshots", adminv1.Admin_ListSnapshots_FullMethodName, s.service.ListSnapshots)
	handle(mux, s, "GET /v1/diff", adminv1.Admin_Diff_FullMethodName, s.service.Diff)
	handle(mux, s, "GET /v1/status", adminv1.Admin_GetStatus_FullMethodName, s.service.GetStatus)
	handle(mux, s, "POST /v1/rollback", adminv1.Admin_Rollback_FullMethodName, s.service.Rollback)
	handle(mux, s, "POST /v1/resume", adminv1.Admin_Resume_FullMethodName, s.service.Resume)
	mux.HandleFunc("GET /v1/watch", s.watchJSON)
	return mux
}

// handle serves one method. Parameters of a GET are the request's fields, the
// body of a POST is the request.
func handle[Request, Response any, In interface {
	*Request
	proto.Message
}, Out interface {
	*Response
	proto.Message
}](mux *http.ServeMux, s *Server, pattern, method string, call func(context.Context, In) (Out, error)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if err := authorize(r.Context(), s.config.Backend.Operators, method); err != nil {
			writeError(w, err)
			return
		}
		req := In(new(Request))
		if err := readRequest(r, req); err != nil {
			writeError(w, err)
			return
		}
		resp, err := call(r.Context(), req)
		if err != nil {
			writeError(w, err)
			return
		}
		writeMessage(w, resp)
	})
}

func readRequest(r *http.Request, req proto.Message) error {
	if r.Method == http.MethodPost {
		return readBody(r, req)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "parameters: %v", err)
	}
	return readParameters(query, req)
}

// readBody demands JSON by name, which web pages of other origins cannot send
// without asking first.
func readBody(r *http.Request, req proto.Message) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return status.Error(codes.InvalidArgument, "send the request as JSON, with content-type: application/json")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	switch {
	case err != nil:
		return status.Errorf(codes.InvalidArgument, "read the request: %v", err)
	case len(body) > maxRequest:
		return status.Errorf(codes.InvalidArgument, "the request has more than %d bytes", maxRequest)
	}
	if err := protojson.Unmarshal(body, req); err != nil {
		return status.Errorf(codes.InvalidArgument, "the request: %v", err)
	}
	return nil
}

// readParameters sets the fields that are named as in JSON.
func readParameters(query url.Values, req proto.Message) error {
	fields := req.ProtoReflect().Descriptor().Fields()
	for name, values := range query {
		field := fields.ByJSONName(name)
		if field == nil {
			return status.Errorf(codes.InvalidArgument, "there is no parameter %q here: %s", name, parametersOf(fields))
		}
		if len(values) != 1 {
			return status.Errorf(codes.InvalidArgument, "parameter %s: give it once", name)
		}
		if err := setParameter(req, field, values[0]); err != nil {
			return status.Errorf(codes.InvalidArgument, "parameter %s: %v", name, err)
		}
	}
	return nil
}

// setParameter reads a value by the rules of protobuf's JSON, where numbers and
// durations may be strings.
func setParameter(req proto.Message, field protoreflect.FieldDescriptor, text string) error {
	var value any = text
	if field.Kind() == protoreflect.BoolKind {
		truth, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q: write true or false", text)
		}
		value = truth
	}
	object, err := json.Marshal(map[string]any{field.JSONName(): value})
	if err != nil {
		return err
	}
	one := req.ProtoReflect().New().Interface()
	if err := protojson.Unmarshal(object, one); err != nil {
		return fmt.Errorf("%q is not what belongs here: %s", text, kindOf(field))
	}
	proto.Merge(req, one)
	return nil
}

// kindOf says what a parameter takes.
func kindOf(field protoreflect.FieldDescriptor) string {
	switch {
	case field.Message() != nil: // the requests have durations only
		return "write seconds, such as 0.5s"
	case field.Kind() == protoreflect.StringKind:
		return "write UTF-8 text"
	default:
		return "write a whole number from 0"
	}
}

func parametersOf(fields protoreflect.FieldDescriptors) string {
	if fields.Len() == 0 {
		return "it takes none"
	}
	var names []string
	for i := range fields.Len() {
		names = append(names, fields.Get(i).JSONName())
	}
	slices.Sort(names)
	return "write " + strings.Join(names, ", ")
}

// watchWrite is how long a watcher may take to read one message.
const watchWrite = 30 * time.Second

// watchJSON sends one JSON text a line until the client leaves.
func (s *Server) watchJSON(w http.ResponseWriter, r *http.Request) {
	req := &adminv1.WatchRequest{}
	err := authorize(r.Context(), s.config.Backend.Operators, adminv1.Admin_Watch_FullMethodName)
	if err == nil {
		err = readRequest(r, req)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	control, begun := http.NewResponseController(w), false
	err = s.service.watch(r.Context(), req, func(m *adminv1.Status) error {
		line, err := view.Line(m)
		if err != nil {
			return status.Errorf(codes.Internal, "write the status as JSON: %v", err)
		}
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set("X-Content-Type-Options", "nosniff")
		}
		if err := control.SetWriteDeadline(s.config.Now().Add(watchWrite)); err != nil {
			return fmt.Errorf("bound the write: %w", err)
		}
		if _, err := w.Write(line); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		return control.Flush()
	})
	if err != nil && !begun {
		writeError(w, err)
	}
}

func writeMessage(w http.ResponseWriter, m proto.Message) {
	body, err := view.JSON(m)
	if err != nil {
		writeError(w, status.Errorf(codes.Internal, "write the answer as JSON: %v", err))
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// apiError is the form of an error in JSON.
type apiError struct {
	Status  string `json:"status"` // gRPC's name of the code
	Message string `json:"message"`
}

func writeError(w http.ResponseWriter, err error) {
	s := status.Convert(err)
	body, err := json.MarshalIndent(struct {
		Error apiError `json:"error"`
	}{apiError{Status: s.Code().String(), Message: s.Message()}}, "", "  ")
	if err != nil {
		text(w, http.StatusInternalServerError, "write the error as JSON: "+err.Error()+"\n")
		return
	}
	writeJSON(w, httpStatus(s.Code()), append(body, '\n'))
}

func writeJSON(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client has left if this fails
}

// httpStatus is the HTTP status for a gRPC code, as google.rpc.Code maps them, but
// for what cannot be done now: that is a conflict.
func httpStatus(code codes.Code) int {
	switch code {
	case codes.InvalidArgument:
		return http.StatusBadRequest
	case codes.FailedPrecondition:
		return http.StatusConflict
	case codes.NotFound:
		return http.StatusNotFound
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	case codes.Canceled:
		return 499 // as nginx says it: the client has left
	default:
		return http.StatusInternalServerError
	}
}
