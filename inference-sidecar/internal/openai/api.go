// Package openai serves the parts of the OpenAI API that embedding models need: POST /v1/embeddings, GET /v1/models and
// GET /v1/models/{id}.
package openai

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/weirmesh/weir/inference-sidecar/internal/embed"
	"github.com/weirmesh/weir/inference-sidecar/internal/jsonread"
	"github.com/weirmesh/weir/inference-sidecar/internal/registry"
	"github.com/weirmesh/weir/inference-sidecar/internal/serve"
)

// API serves the paths of the OpenAI API.
type API struct {
	House *serve.House
}

// Register adds the API's paths to mux.
func (a *API) Register(mux *http.ServeMux) {
	mux.HandleFunc("/v1/embeddings", a.only(http.MethodPost, a.embeddings))
	mux.HandleFunc("/v1/models", a.only(http.MethodGet, a.models))
	mux.HandleFunc("/v1/models/{model}", a.only(http.MethodGet, a.model))
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, &fault{kind: invalidRequest, code: "unknown_url", text: fmt.Sprintf("unknown request URL: %s %s", r.Method, r.URL.Path)})
	})
}

func (a *API) only(method string, h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.Header().Set("Allow", method)
			writeError(w, http.StatusMethodNotAllowed, &fault{kind: invalidRequest, code: "method_not_allowed", text: fmt.Sprintf("%s takes %s, not %s", r.URL.Path, method, r.Method)})
			return
		}
		if err := h(w, r); err != nil {
			a.fail(w, r, err)
		}
	}
}

// The types of errors in the OpenAI API that occur here.
const (
	invalidRequest = "invalid_request_error"
	serverError    = "server_error"
)

// fault is an error in the words of the OpenAI API. Empty param and code are null.
type fault struct{ kind, param, code, text string }

// Error implements error.
func (f *fault) Error() string { return f.text }

// invalid is a request whose parameter is wrong.
func invalid(param, format string, args ...any) error {
	return serve.BadRequest(&fault{kind: invalidRequest, param: param, code: "invalid_parameter", text: fmt.Sprintf(format, args...)})
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	m := a.House.Failed(w, r, err)
	writeError(w, m.Status, describe(err, m))
}

// describe finds the OpenAI API's words for an error.
func describe(err error, m serve.Meaning) *fault {
	var f *fault
	var syntax *jsonread.SyntaxError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &syntax):
		return &fault{kind: invalidRequest, code: "invalid_json", text: err.Error()}
	case errors.Is(err, registry.ErrUnknownModel):
		return &fault{kind: invalidRequest, param: "model", code: "model_not_found", text: err.Error()}
	case errors.Is(err, registry.ErrUnknownVersion):
		return &fault{kind: invalidRequest, param: "model", code: "version_not_found", text: err.Error()}
	case errors.Is(err, embed.ErrNotFinite):
		return &fault{kind: serverError, code: "not_finite", text: err.Error()}
	}
	if code, ok := codes[m.Status]; ok {
		return &fault{kind: code.kind, code: code.code, text: err.Error()}
	}
	return &fault{kind: serverError, code: "internal_error", text: err.Error()}
}

var codes = map[int]struct{ kind, code string }{
	http.StatusBadRequest:            {invalidRequest, "invalid_request"},
	http.StatusRequestEntityTooLarge: {invalidRequest, "request_too_large"},
	http.StatusUnsupportedMediaType:  {invalidRequest, "unsupported_content_encoding"},
	http.StatusTooManyRequests:       {serverError, "overloaded"},
	http.StatusServiceUnavailable:    {serverError, "not_ready"},
	http.StatusGatewayTimeout:        {serverError, "timeout"},
}

func writeError(w http.ResponseWriter, status int, f *fault) {
	type body struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	b := body{Message: f.text, Type: f.kind}
	if f.param != "" {
		b.Param = &f.param
	}
	if f.code != "" {
		b.Code = &f.code
	}
	serve.WriteJSON(w, status, map[string]body{"error": b})
}

// modelObject is a model of the OpenAI API. Created is when the default version's file was last changed.
type modelObject struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func object(m *registry.Model) modelObject {
	return modelObject{ID: m.Name, Object: "model", Created: m.Default.Modified.Unix(), OwnedBy: "weir"}
}

func (a *API) models(w http.ResponseWriter, _ *http.Request) error {
	models, err := a.House.Models.Get()
	if err != nil {
		return err
	}
	list := make([]modelObject, 0, len(models.Names()))
	for _, name := range models.Names() {
		m, err := models.Model(name)
		if err != nil {
			return err
		}
		list = append(list, object(m))
	}
	serve.WriteJSON(w, http.StatusOK, struct {
		Object string        `json:"object"`
		Data   []modelObject `json:"data"`
	}{"list", list})
	return nil
}

func (a *API) model(w http.ResponseWriter, r *http.Request) error {
	models, err := a.House.Models.Get()
	if err != nil {
		return err
	}
	m, err := models.Model(r.PathValue("model"))
	if err != nil {
		return err
	}
	serve.WriteJSON(w, http.StatusOK, object(m))
	return nil
}
