// Package httpapi serves the REST form of the Open Inference Protocol, version 2, with its binary tensor data extension
// as Triton Inference Server defines it.
package httpapi

import (
	"errors"
	"fmt"
	"math"
	"net/http"

	"github.com/weirmesh/weir/inference-sidecar/internal/registry"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime"
	"github.com/weirmesh/weir/inference-sidecar/internal/serve"
)

// API serves the protocol.
type API struct {
	House *serve.House
	// Name and Version are those of the server, for its metadata.
	Name, Version string
}

// Register adds the protocol's paths to mux.
func (a *API) Register(mux *http.ServeMux) {
	mux.HandleFunc("/v2", a.get(a.server))
	mux.HandleFunc("/v2/health/live", a.get(a.live))
	mux.HandleFunc("/v2/health/ready", a.get(a.ready))
	for _, prefix := range []string{"/v2/models/{model}", "/v2/models/{model}/versions/{version}"} {
		mux.HandleFunc(prefix, a.get(a.model))
		mux.HandleFunc(prefix+"/ready", a.get(a.modelReady))
		mux.HandleFunc(prefix+"/infer", a.post(a.infer))
	}
	mux.HandleFunc("/v2/", a.unknown)
}

type handler func(w http.ResponseWriter, r *http.Request) error

// get serves GET and HEAD.
func (a *API) get(h handler) http.HandlerFunc {
	return a.only(h, http.MethodGet, http.MethodHead)
}

func (a *API) post(h handler) http.HandlerFunc { return a.only(h, http.MethodPost, http.MethodPost) }

func (a *API) only(h handler, method, or string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method && r.Method != or {
			w.Header().Set("Allow", method)
			writeError(w, http.StatusMethodNotAllowed, fmt.Sprintf("%s takes %s, not %s", r.URL.Path, method, r.Method))
			return
		}
		if err := h(w, r); err != nil {
			a.fail(w, r, err)
		}
	}
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	m := a.House.Failed(w, r, err)
	writeError(w, m.Status, err.Error())
}

func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	writeError(w, http.StatusNotFound, fmt.Sprintf("unknown path %q", r.URL.Path))
}

func writeError(w http.ResponseWriter, status int, text string) {
	serve.WriteJSON(w, status, struct {
		Error string `json:"error"`
	}{text})
}

func (a *API) server(w http.ResponseWriter, _ *http.Request) error {
	serve.WriteJSON(w, http.StatusOK, struct {
		Name       string   `json:"name"`
		Version    string   `json:"version"`
		Extensions []string `json:"extensions"`
	}{a.Name, a.Version, []string{"binary_tensor_data"}})
	return nil
}

// health is the body of both health answers: clients look for "live" in that about readiness, too, as the protocol's text
// has it there.
type health struct {
	Live  bool `json:"live"`
	Ready bool `json:"ready"`
}

func (a *API) live(w http.ResponseWriter, _ *http.Request) error {
	serve.WriteJSON(w, http.StatusOK, health{Live: true, Ready: a.House.Models.Ready()})
	return nil
}

func (a *API) ready(w http.ResponseWriter, _ *http.Request) error {
	h, status := health{Live: true, Ready: a.House.Models.Ready()}, http.StatusOK
	if !h.Ready {
		status = http.StatusServiceUnavailable
	}
	serve.WriteJSON(w, status, h)
	return nil
}

func (a *API) find(r *http.Request) (*registry.Version, error) {
	return a.House.Find(r, r.PathValue("model"), r.PathValue("version"))
}

func (a *API) modelReady(w http.ResponseWriter, r *http.Request) error {
	if !a.House.Models.Ready() {
		return registry.ErrNotReady // not while the server drains, either
	}
	v, err := a.find(r)
	if err != nil {
		return err
	}
	serve.WriteJSON(w, http.StatusOK, struct {
		Name  string `json:"name"`
		Ready bool   `json:"ready"`
	}{v.Spec.Name, true})
	return nil
}

type tensorMetadata struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype"`
	Shape    []int64 `json:"shape"`
}

func (a *API) model(w http.ResponseWriter, r *http.Request) error {
	v, err := a.find(r)
	if err != nil {
		return err
	}
	versions := []string{v.Spec.Version}
	if r.PathValue("version") == "" {
		if versions, err = a.versions(v.Spec.Name); err != nil {
			return err
		}
	}
	serve.WriteJSON(w, http.StatusOK, struct {
		Name     string           `json:"name"`
		Versions []string         `json:"versions"`
		Platform string           `json:"platform"`
		Inputs   []tensorMetadata `json:"inputs"`
		Outputs  []tensorMetadata `json:"outputs"`
	}{v.Spec.Name, versions, v.Platform, metadata(v.Session.Inputs()), metadata(v.Session.Outputs())})
	return nil
}

func (a *API) versions(name string) ([]string, error) {
	models, err := a.House.Models.Get()
	if err != nil {
		return nil, err
	}
	m, err := models.Model(name)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(m.Versions))
	for i, v := range m.Versions {
		out[i] = v.Spec.Version
	}
	return out, nil
}

func metadata(infos []runtime.Info) []tensorMetadata {
	out := make([]tensorMetadata, len(infos))
	for i, info := range infos {
		out[i] = tensorMetadata{info.Name, info.Type.String(), append([]int64{}, info.Shape...)}
	}
	return out
}

// infer answers an inference request.
func (a *API) infer(w http.ResponseWriter, r *http.Request) error {
	v, err := a.find(r)
	if err != nil {
		return err
	}
	content, release, err := a.House.ReadBody(r, math.MaxInt64)
	if err != nil {
		return err
	}
	defer release()
	call, err := a.House.Admit(v)
	if err != nil {
		return err
	}
	res, err := a.answer(r, v, call, content)
	call.End(err)
	if err != nil {
		return err
	}
	res.write(w)
	return nil
}

var errNoInputs = errors.New("the request has no inputs")
