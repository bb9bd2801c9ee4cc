package serving

import (
	"encoding/json"
	"errors"
	"fmt"
)

// dump is what is read of an answer to /config_dump?resource=...
// (envoy.admin.v3.ConfigDump in the JSON mapping).
type dump struct {
	Configs []entry `json:"configs"`
}

// entry is one of DynamicCluster, DynamicListener and DynamicRouteConfig of
// envoy.admin.v3, with the fields that masks leave.
type entry struct {
	Version string `json:"version_info"`
	Cluster struct {
		Name string `json:"name"`
	} `json:"cluster"`
	RouteConfig struct {
		Name string `json:"name"`
	} `json:"route_config"`
	// Of a listener.
	Name    string `json:"name"`
	Active  state  `json:"active_state"`
	Warming *state `json:"warming_state"`
	Error   *struct {
		Details string `json:"details"`
	} `json:"error_state"`
}

type state struct {
	Version string `json:"version_info"`
}

// errNotJSON says that whoever answers is no Envoy's admin interface.
var errNotJSON = errors.New("the answer is not what Envoy's admin interface gives")

func parseDump(body []byte) (dump, error) {
	var d dump
	if err := json.Unmarshal(body, &d); err != nil {
		return dump{}, fmt.Errorf("%w: %w", errNotJSON, err)
	}
	return d, nil
}

// nodeOf reads the node's id from /server_info (envoy.admin.v3.ServerInfo).
func nodeOf(body []byte) (string, error) {
	var info struct {
		Node struct {
			ID string `json:"id"`
		} `json:"node"`
		State string `json:"state"`
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return "", fmt.Errorf("%w: %w", errNotJSON, err)
	}
	if info.State == "" {
		return "", errNotJSON
	}
	return info.Node.ID, nil
}
