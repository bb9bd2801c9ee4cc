package translate

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
)

// upstreamTLS proves the Envoy's identity and takes only peer's for an answer.
func upstreamTLS(peer, envoy spiffeid.ID) *corev3.TransportSocket {
	return tlsSocket(&tlsv3.UpstreamTlsContext{CommonTlsContext: tlsContext(envoy, []spiffeid.ID{peer})})
}

// downstreamTLS proves the Envoy's identity to clients, or shows them the
// listener's public certificate, and verifies their identities where it must.
func downstreamTLS(listener string, t *catalog.ListenerTLS, envoy spiffeid.ID) *corev3.TransportSocket {
	context := tlsContext(envoy, t.AllowedClients)
	if t.Certificate != nil {
		context.TlsCertificateSdsSecretConfigs = []*tlsv3.SdsSecretConfig{{Name: listener, SdsConfig: fromADS()}}
	}
	if !t.RequireClientCertificate {
		context.ValidationContextType = nil // with it, Envoy's SPIFFE validator lets nobody in without a certificate
	}
	return tlsSocket(&tlsv3.DownstreamTlsContext{
		CommonTlsContext:         context,
		RequireClientCertificate: wrapperspb.Bool(t.RequireClientCertificate),
	})
}

// certificate is the secret of a public certificate. It alone comes over the
// aggregated stream: SVIDs never do.
func certificate(name string, c *catalog.Certificate) *tlsv3.Secret {
	inline := func(pem []byte) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: pem}}
	}
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{
		TlsCertificate: &tlsv3.TlsCertificate{CertificateChain: inline(c.Chain), PrivateKey: inline(c.Key)},
	}}
}

func tlsSocket(context proto.Message) *corev3.TransportSocket {
	return &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(context)},
	}
}

// tlsContext takes the SVID and the bundle from the Workload API socket, under
// SPIRE's names, and accepts the given peers; none stands for the whole trust domain.
func tlsContext(envoy spiffeid.ID, peers []spiffeid.ID) *tlsv3.CommonTlsContext {
	accepted := &tlsv3.CertificateValidationContext{}
	for _, peer := range peers {
		accepted.MatchTypedSubjectAltNames = append(accepted.MatchTypedSubjectAltNames, &tlsv3.SubjectAltNameMatcher{
			SanType: tlsv3.SubjectAltNameMatcher_URI,
			Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: peer.String()}},
		})
	}
	return &tlsv3.CommonTlsContext{
		TlsParams:                      protocols(),
		AlpnProtocols:                  []string{"h2", "http/1.1"},
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{secret(envoy.String())},
		ValidationContextType: &tlsv3.CommonTlsContext_CombinedValidationContext{
			CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
				DefaultValidationContext:         accepted,
				ValidationContextSdsSecretConfig: secret(envoy.TrustDomain().IDString()),
			},
		},
	}
}

// protocols are the versions of TLS. Envoy's maximum for upstreams is 1.2 unless told.
func protocols() *tlsv3.TlsParameters {
	return &tlsv3.TlsParameters{
		TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2,
		TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
	}
}

// publicTLS verifies a server outside of the trust domain by the name or address in
// its URI, and by who vouches for it. It proves nothing itself.
func publicTLS(remote *catalog.RemoteKeys) *tlsv3.UpstreamTlsContext {
	authority := &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: remote.Authority}}
	if remote.AuthorityPath != "" {
		authority.Specifier = &corev3.DataSource_Filename{Filename: remote.AuthorityPath}
	}
	endpoint, sni, san := remote.URI.Endpoint(), remote.URI.Endpoint().Host(), tlsv3.SubjectAltNameMatcher_DNS
	if endpoint.IsIP() {
		sni, san = "", tlsv3.SubjectAltNameMatcher_IP_ADDRESS // RFC 6066, section 3: no addresses
	}
	return &tlsv3.UpstreamTlsContext{Sni: sni, CommonTlsContext: &tlsv3.CommonTlsContext{
		TlsParams: protocols(),
		ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa: authority,
			MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{{
				SanType: san,
				Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: endpoint.Host()}},
			}},
		}},
	}}
}

// secret is a secret of the Workload API socket. SPIRE's agent has no delta SDS.
func secret(name string) *tlsv3.SdsSecretConfig {
	return &tlsv3.SdsSecretConfig{
		Name: name,
		SdsConfig: &corev3.ConfigSource{
			ResourceApiVersion: corev3.ApiVersion_V3,
			ConfigSourceSpecifier: &corev3.ConfigSource_ApiConfigSource{ApiConfigSource: &corev3.ApiConfigSource{
				ApiType:                   corev3.ApiConfigSource_GRPC,
				TransportApiVersion:       corev3.ApiVersion_V3,
				SetNodeOnFirstMessageOnly: true,
				GrpcServices: []*corev3.GrpcService{{
					TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: workloadAPI}},
				}},
			}},
		},
	}
}
