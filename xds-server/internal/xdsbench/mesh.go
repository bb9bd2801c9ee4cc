package xdsbench

import (
	"fmt"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/api"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/translate"
)

// Identities of the mesh that is measured.
var (
	envoyID  = spiffeid.RequireFromString("spiffe://weir.test/envoy")
	serverID = spiffeid.RequireFromString("spiffe://weir.test/xds-server")
)

// gatewayPort is where the real Envoys listen; they are given nothing else to do
// with it, so they may share it (SO_REUSEPORT is Envoy's default).
const gatewayPort = 18999

// mesh is the configuration that is measured: a gateway and a number of models.
// Every second model has two versions, between which a weight step moves users.
type mesh struct{ models int }

// documents are the resources as people write them: one file a model.
func (m mesh) documents() []source.Document {
	all := []source.Document{{Name: "gateway.yaml", Data: []byte(strings.NewReplacer(
		"ENVOY", envoyID.String(), "SERVER", serverID.String(), "PORT", fmt.Sprint(gatewayPort)).Replace(gatewayYAML))}}
	for i := range m.models {
		all = append(all, m.model(i, 0))
	}
	return all
}

// document is a model's file after so many weight steps.
func (m mesh) model(i, step int) source.Document {
	name := modelName(i)
	versions := fmt.Sprintf("    - {name: v1, endpoints: [%q], insecure: true}\n", address(i, 1))
	split := "    - {version: v1, weight: 100}\n"
	if twoVersions(i) {
		versions += fmt.Sprintf("    - {name: v2, endpoints: [%q], insecure: true}\n", address(i, 2))
		canary := weight(step) / (api.WholeWeight / 100)
		split = fmt.Sprintf("    - {version: v2, weight: %d}\n    - {version: v1, weight: %d}\n", canary, 100-canary)
	}
	return source.Document{Name: name + ".yaml", Data: fmt.Appendf(nil, modelYAML, name, versions, name, name, split)}
}

// twoVersions reports whether a model has a second version.
func twoVersions(i int) bool { return i%2 == 0 }

// weight is the canary's share after a number of steps, in parts of
// api.WholeWeight: it is another after each step.
func weight(step int) uint32 { return api.WholeWeight / 100 * uint32(1+step%98) }

func modelName(i int) string { return fmt.Sprintf("model-%05d", i) }

// address is that of an endpoint at which nobody listens.
func address(model, version int) string {
	return fmt.Sprintf("127.%d.%d.%d:9", version, 1+model/250, 1+model%250)
}

// routeOf is the resource that a weight step of a model changes.
func routeOf(i int) lead { return lead{routes, modelName(i)} }

// clusterOf is the resource that a change of a connect timeout changes.
func clusterOf(i int) lead { return lead{clusters, translate.ClusterName(modelName(i), "v1")} }

const gatewayYAML = `apiVersion: weir.dev/v1alpha1
kind: TrustDomain
metadata: {name: weir.test}
spec: {source: development, xdsServer: "SERVER"}
---
apiVersion: weir.dev/v1alpha1
kind: Gateway
metadata: {name: bench}
spec:
  envoys: ["ENVOY"]
  listeners:
    - {name: http, address: 127.0.0.1, port: PORT}
`

const modelYAML = `apiVersion: weir.dev/v1alpha1
kind: Model
metadata: {name: %s}
spec:
  versions:
%s---
apiVersion: weir.dev/v1alpha1
kind: ModelRoute
metadata: {name: %s}
spec:
  model: %s
  split:
%s`

// counts are the resources that every Envoy of the mesh gets.
func (m mesh) counts() [kinds]int {
	versions := m.models + (m.models+1)/2
	return [kinds]int{clusters: versions, endpoints: versions, listeners: 1, scopes: m.models, routes: m.models, extensions: 1}
}
