package snapshot_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	wasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/wasm/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

var update = flag.Bool("update", false, "write the golden files anew")

func pack(t testing.TB, message proto.Message) *anypb.Any {
	t.Helper()
	packed, err := anypb.New(message)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func inline(text string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: text}}
}

// tlsListener takes the certificate of a name from the aggregated stream.
func tlsListener(t testing.TB, name, certificate string) *listenerv3.Listener {
	t.Helper()
	ads := &corev3.ConfigSource{ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}}
	return &listenerv3.Listener{Name: name, FilterChains: []*listenerv3.FilterChain{{TransportSocket: &corev3.TransportSocket{
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(t, &tlsv3.DownstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{Name: certificate, SdsConfig: ads}},
			ValidationContextType: &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{
				ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: "ROOTCA", SdsConfig: &corev3.ConfigSource{}}, // over the socket
			},
		}})},
	}}}}
}

func secret(name, chain, key string) *tlsv3.Secret {
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
		CertificateChain: inline(chain), PrivateKey: inline(key), Password: inline("hunter2"),
	}}}
}

// policy is filter configuration with a document, a module and an environment.
func policy(t testing.TB, document string, module []byte, key string) *corev3.TypedExtensionConfig {
	t.Helper()
	vm := &wasmv3.VmConfig{
		Code: &corev3.AsyncDataSource{Specifier: &corev3.AsyncDataSource_Local{
			Local: &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: module}},
		}},
		EnvironmentVariables: &wasmv3.EnvironmentVariables{KeyValues: map[string]string{"API_KEY": key}},
	}
	return &corev3.TypedExtensionConfig{Name: "f", TypedConfig: pack(t, &wasmv3.PluginConfig{
		Name: "weir", Vm: &wasmv3.PluginConfig_VmConfig{VmConfig: vm}, Configuration: pack(t, wrapperspb.String(document)),
	})}
}

// before and after differ in each way that a comparison tells apart.
func compared(t *testing.T) (before, after *snapshot.Snapshot) {
	t.Helper()
	first, second := world{}, world{}
	first.put(t, "m", scope("m", "m"))
	second.put(t, "m", scope("m", "m"))
	first.put(t, "l", listener(t, "l", scopedManager("f")))
	manager := scopedManager("f")
	manager.ServerName, manager.StreamIdleTimeout = "weir", durationpb.New(5e9)
	manager.HttpFilters = append([]*hcmv3.HttpFilter{{Name: "router"}}, manager.GetHttpFilters()...)
	second.put(t, "l", listener(t, "l", manager))
	first.put(t, "f", policy(t, `{"limits":[{"name":"a","tokens":5}],"v":1}`, bytes.Repeat([]byte{1}, 5000), "s3cret-one"))
	second.put(t, "f", policy(t, `{"limits":[{"name":"a","tokens":6},{"name":"b"}],"v":1}`, bytes.Repeat([]byte{2}, 5000), "s3cret-two"))
	first.put(t, "m", weighted("m", 90, 10))
	second.put(t, "m", weighted("m", 80, 20))
	for _, name := range []string{"m@0", "m@1", "old"} {
		first.put(t, name, cluster(name))
		first.put(t, name, endpoints(name))
	}
	for _, name := range []string{"m@0", "m@1", "new"} {
		c := cluster(name)
		if name == "m@1" {
			c.AltStatName = "other"
			c.Metadata = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"weir.dev": {Fields: map[string]*structpb.Value{"x": structpb.NewNumberValue(1.5)}}}}
		}
		second.put(t, name, c)
		second.put(t, name, endpoints(name))
	}
	first.put(t, "p", tlsListener(t, "p", "gateway/public"))
	second.put(t, "p", tlsListener(t, "p", "gateway/public"))
	first.put(t, "gateway/public", secret("gateway/public", "chain-one", "s3cret-one"))
	second.put(t, "gateway/public", secret("gateway/public", "chain-two", "s3cret-two"))
	for ref, r := range second {
		second[ref] = r.From("models.yaml:7")
	}
	return mustSnapshot(t, first), mustSnapshot(t, second)
}

func mustSnapshot(t testing.TB, w world) *snapshot.Snapshot {
	t.Helper()
	s, err := w.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func weighted(name string, weights ...uint32) *routev3.RouteConfiguration {
	config := routes(name, "m@0", "m@0", "m@1")
	for i, w := range config.GetVirtualHosts()[0].GetRoutes()[1].GetRoute().GetWeightedClusters().GetClusters() {
		w.Weight = wrapperspb.UInt32(weights[i])
	}
	return config
}

func TestCompare(t *testing.T) {
	before, after := compared(t)
	c := snapshot.Compare(before, after)
	golden(t, "testdata/compare.txt", []byte(c.String()))
	encoded, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/compare.json", append(encoded, '\n'))
	if all := c.String() + string(encoded); strings.Contains(all, "s3cret") || strings.Contains(all, "hunter2") {
		t.Error("a comparison shows a secret")
	}
	if c := snapshot.Compare(after, after); c.String() != "nothing differs\n" || len(c.Resources) != 0 {
		t.Errorf("one compared with itself: %v", c)
	}
	for name, c := range map[string]snapshot.Comparison{"added": snapshot.Compare(nil, after), "removed": snapshot.Compare(after, nil)} {
		if len(c.Resources) != after.Size() {
			t.Errorf("%d %s, want %d", len(c.Resources), name, after.Size())
		}
		for _, r := range c.Resources {
			if string(r.Difference) != name || r.Fields != nil || r.Origin != "models.yaml:7" {
				t.Errorf("%+v is not %s", r, name)
			}
		}
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

func TestShown(t *testing.T) {
	unknown := &anypb.Any{TypeUrl: "type.googleapis.com/unknown.Type", Value: []byte("s3cret")}
	tests := map[string]struct {
		message proto.Message
		want    string
	}{
		"secret":    {secret("x", "chain", "s3cret"), `{"name":"x","tlsCertificate":{"certificateChain":{"inlineString":"chain"},"password":"[redacted]","privateKey":"[redacted]"}}`},
		"generic":   {&tlsv3.Secret{Name: "x", Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{Secret: inline("s3cret")}}}, `{"genericSecret":{"secret":"[redacted]"},"name":"x"}`},
		"tickets":   {&tlsv3.Secret{Name: "x", Type: &tlsv3.Secret_SessionTicketKeys{SessionTicketKeys: &tlsv3.TlsSessionTicketKeys{Keys: []*corev3.DataSource{inline("s3cret")}}}}, `{"name":"x","sessionTicketKeys":{"keys":"[redacted]"}}`},
		"any":       {&corev3.TypedExtensionConfig{Name: "x", TypedConfig: pack(t, secret("y", "chain", "s3cret"))}, `{"name":"x","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret","name":"y","tlsCertificate":{"certificateChain":{"inlineString":"chain"},"password":"[redacted]","privateKey":"[redacted]"}}}`},
		"unknown":   {&corev3.TypedExtensionConfig{Name: "x", TypedConfig: unknown}, `{"name":"x","typedConfig":{"@type":"type.googleapis.com/unknown.Type","value":"[6 bytes of a type that this server does not know]"}}`},
		"wrapper":   {&corev3.TypedExtensionConfig{Name: "x", TypedConfig: pack(t, durationpb.New(15e8))}, `{"name":"x","typedConfig":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.500s"}}`},
		"no number": {&corev3.TypedExtensionConfig{Name: "x", TypedConfig: pack(t, &corev3.RuntimeDouble{DefaultValue: math.Inf(1), RuntimeKey: "k"})}, `{"name":"x","typedConfig":{"@type":"type.googleapis.com/envoy.config.core.v3.RuntimeDouble","defaultValue":"+Inf","runtimeKey":"k"}}`},
		"markup":    {&corev3.TypedExtensionConfig{Name: "x", TypedConfig: pack(t, &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{Name: "<v>"}}})}, `{"name":"x","typedConfig":{"@type":"type.googleapis.com/envoy.config.route.v3.RouteConfiguration","virtualHosts":[{"name":"<v>"}]}}`},
	}
	for name, test := range tests {
		r := resource(t, "x", test.message)
		if got := string(r.Shown()); got != test.want {
			t.Errorf("%s is shown as %s, want %s", name, got, test.want)
		}
	}
}

// TestCompareLists: the order of elements with names, and elements without.
func TestCompareLists(t *testing.T) {
	config := func(hosts, headers string) *routev3.RouteConfiguration {
		c := &routev3.RouteConfiguration{Name: "m", InternalOnlyHeaders: strings.Fields(headers)}
		for _, name := range strings.Fields(hosts) {
			c.VirtualHosts = append(c.VirtualHosts, &routev3.VirtualHost{Name: strings.Trim(name, "-")})
		}
		return c
	}
	tests := map[string]struct {
		before, after *routev3.RouteConfiguration
		want          string
	}{
		"order":    {config("a b c", ""), config("c a b d", ""), `+ virtualHosts["d"]: {"name":"d"} | ~ virtualHosts (order): ["a","b","c"] -> ["c","a","b"]`},
		"middle":   {config("", "a b c d"), config("", "a x y d"), `~ internalOnlyHeaders[1]: "b" -> "x" | ~ internalOnlyHeaders[2]: "c" -> "y"`},
		"inserted": {config("", "a d"), config("", "a x d"), `+ internalOnlyHeaders[1]: "x"`},
		"shorter":  {config("", "a a a"), config("", "a a"), `- internalOnlyHeaders[2]: "a"`},
		"twice":    {config("a a", ""), config("a b", ""), `~ virtualHosts[1].name: "a" -> "b"`},
		"no name":  {config("- -", ""), config("- x", ""), `+ virtualHosts[1].name: "x"`},
	}
	for name, test := range tests {
		first, second := world{}, world{}
		for w, c := range map[string]*routev3.RouteConfiguration{"before": test.before, "after": test.after} {
			into := map[string]world{"before": first, "after": second}[w]
			into.put(t, "m", c)
			into.put(t, "m", scope("m", "m"))
			into.put(t, "f", &corev3.TypedExtensionConfig{Name: "f"})
			into.put(t, "l", listener(t, "l", scopedManager("f")))
		}
		text := snapshot.Compare(mustSnapshot(t, first), mustSnapshot(t, second)).String()
		lines := strings.Split(strings.TrimSpace(text), "\n")
		var fields []string
		for _, line := range lines[1 : len(lines)-1] {
			fields = append(fields, strings.TrimSpace(line))
		}
		if got := strings.Join(fields, " | "); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}
