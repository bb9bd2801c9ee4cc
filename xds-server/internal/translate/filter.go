package translate

import (
	"errors"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	httpwasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	wasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/wasm/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// virtualMachine is the vm_id of every gateway's filter: their shared data, and
// so the token budgets, are those of one Envoy.
const virtualMachine = "weir"

// reloadBackoff bounds how often a VM that trapped is made anew. Until then its
// requests get 503; making one takes milliseconds.
const (
	reloadBackoff    = 100 * time.Millisecond
	maxReloadBackoff = time.Second
)

// filterConfig is the ECDS resource of a gateway: the module and its policy.
func filterConfig(gateway *catalog.Gateway, document, module []byte) (*snapshot.Resource, error) {
	code, err := moduleSource(gateway, module)
	if err != nil {
		return nil, err
	}
	config := &wasmv3.PluginConfig{
		Name: "weir",
		Vm: &wasmv3.PluginConfig_VmConfig{VmConfig: &wasmv3.VmConfig{
			VmId:    virtualMachine,
			Runtime: "envoy.wasm.runtime.v8",
			Code:    &corev3.AsyncDataSource{Specifier: &corev3.AsyncDataSource_Local{Local: code}},
		}},
		Configuration: pack(wrapperspb.String(string(document))),
		// A trap costs its streams, never the redaction of others: closed until reloaded.
		FailurePolicy: wasmv3.FailurePolicy_FAIL_RELOAD,
		ReloadConfig: &wasmv3.ReloadConfig{Backoff: &corev3.BackoffStrategy{
			BaseInterval: durationpb.New(reloadBackoff),
			MaxInterval:  durationpb.New(maxReloadBackoff),
		}},
		// Without it a pause in the headers stops the body too, and the model is in the body.
		AllowOnHeadersStopIteration: wrapperspb.Bool(true),
	}
	name := FilterName(gateway.Name)
	return resource(nil, name, &corev3.TypedExtensionConfig{
		Name:        name,
		TypedConfig: pack(&httpwasmv3.Wasm{Config: config}),
	}, gateway.Origin)
}

func moduleSource(gateway *catalog.Gateway, module []byte) (*corev3.DataSource, error) {
	if gateway.ModuleFile != "" {
		return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: gateway.ModuleFile}}, nil
	}
	if len(module) == 0 {
		return nil, errors.New("there is no filter module to send: give the server one, or set spec.filter.module.file")
	}
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: module}}, nil
}
