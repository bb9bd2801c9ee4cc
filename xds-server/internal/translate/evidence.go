package translate

import (
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	grpcv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/grpc/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/xds-server/internal/evidence"
)

// xdsCluster is the cluster of the xds-server in Envoys' bootstraps.
const xdsCluster = "xds"

// Bounds of what a worker of Envoy keeps of records until they are sent: for so long at
// most, and so much; above it, while the xds-server cannot be reached, they are dropped,
// which shows as a gap.
const (
	evidenceFlush  = 500 * time.Millisecond
	evidenceBuffer = 4 << 20 // bytes, of entries with everything else that Envoy says
)

// evidenceLog sends each record to the xds-server.
func evidenceLog() *accesslogv3.AccessLog {
	return &accesslogv3.AccessLog{
		Name: "envoy.access_loggers.http_grpc",
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: pack(&grpcv3.HttpGrpcAccessLogConfig{
			CommonConfig: &grpcv3.CommonGrpcAccessLogConfig{
				LogName:                 evidence.LogName,
				GrpcService:             &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: xdsCluster}}},
				TransportApiVersion:     corev3.ApiVersion_V3,
				BufferFlushInterval:     durationpb.New(evidenceFlush),
				BufferSizeBytes:         wrapperspb.UInt32(evidenceBuffer),
				FilterStateObjectsToLog: []string{evidence.FilterState},
			},
		})},
	}
}
