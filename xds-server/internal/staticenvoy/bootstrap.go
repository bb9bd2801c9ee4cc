package staticenvoy

import (
	"net"
	"strconv"
	"time"
)

type object = map[string]any

const listenerName = "gateway"

const typePrefix = "type.googleapis.com/envoy.extensions."

// bootstrap is Envoy's configuration as the JSON form of
// envoy.config.bootstrap.v3.Bootstrap.
func bootstrap(c Config) object {
	limit := c.BufferLimit
	if limit == 0 {
		limit = 1 << 20
	}
	b := object{
		"node":  object{"id": "static", "cluster": "static"},
		"admin": object{"address": address("127.0.0.1", 0)},
		"static_resources": object{
			"listeners": []any{object{
				"name": listenerName, "address": address("127.0.0.1", 0),
				"per_connection_buffer_limit_bytes": limit,
				"filter_chains":                     []any{object{"filters": []any{manager(c)}}},
			}},
			"clusters": []any{cluster(c.Upstream)},
		},
	}
	if c.ReleaseMemory {
		b["memory_allocator_manager"] = object{"bytes_to_release": 16 << 20, "memory_release_interval": "1s"}
	}
	return b
}

func address(host string, port int) object {
	return object{"socket_address": object{"address": host, "port_value": port}}
}

func manager(c Config) object {
	filters := []any{}
	if c.Filter.config != nil {
		filters = append(filters, c.Filter.config)
	}
	filters = append(filters, object{"name": "envoy.filters.http.router",
		"typed_config": object{"@type": typePrefix + "filters.http.router.v3.Router"}})
	idle := c.IdleTimeout
	if idle == 0 {
		idle = 5 * time.Minute
	}
	return object{"name": "envoy.filters.network.http_connection_manager", "typed_config": object{
		"@type":       typePrefix + "filters.network.http_connection_manager.v3.HttpConnectionManager",
		"stat_prefix": "gateway", "codec_type": "AUTO", "max_request_headers_kb": 96,
		"stream_idle_timeout": strconv.FormatFloat(idle.Seconds(), 'f', -1, 64) + "s",
		"http_filters":        filters,
		"route_config": object{"name": "all", "virtual_hosts": []any{object{
			"name": "all", "domains": []any{"*"},
			"routes": []any{object{"match": object{"prefix": "/"}, "route": object{"cluster": "upstream", "timeout": "0s"}}},
		}}},
	}}
}

func cluster(upstream string) object {
	host, port, _ := net.SplitHostPort(upstream) // a bad address fails in Envoy, which names it
	n, _ := strconv.Atoi(port)
	return object{"name": "upstream", "type": "STATIC", "connect_timeout": "1s",
		"circuit_breakers": object{"thresholds": []any{object{"max_connections": 4096, "max_pending_requests": 65536, "max_requests": 65536}}},
		"load_assignment": object{"cluster_name": "upstream", "endpoints": []any{object{
			"lb_endpoints": []any{object{"endpoint": object{"address": address(host, n)}}}}}},
	}
}
