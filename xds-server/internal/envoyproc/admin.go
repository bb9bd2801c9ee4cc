package envoyproc

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Admin returns the body of a GET on Envoy's admin interface.
func (p *Process) Admin(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask envoy for %s: %w", path, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask envoy for %s: %w", path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("ask envoy for %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask envoy for %s: %s: %s", path, resp.Status, strings.TrimSpace(string(body)))
	}
	return body, nil
}

// Listener is the 127.0.0.1:port at which the listener with this name is open.
func (p *Process) Listener(ctx context.Context, name string) (string, error) {
	body, err := p.Admin(ctx, "/listeners?format=json")
	if err != nil {
		return "", err
	}
	var listeners struct {
		Statuses []struct {
			Name    string `json:"name"`
			Address struct {
				Socket struct {
					Port int `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(body, &listeners); err != nil {
		return "", fmt.Errorf("read envoy's listeners: %w", err)
	}
	for _, l := range listeners.Statuses {
		if l.Name == name {
			return net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Address.Socket.Port)), nil
		}
	}
	return "", fmt.Errorf("envoy has no listener %s: %s", name, body)
}

// Counter returns the counter or gauge with exactly this name; 0 when Envoy
// has none yet.
func (p *Process) Counter(ctx context.Context, name string) (int64, error) {
	stats, err := p.Stats(ctx, "^"+regexp.QuoteMeta(name)+"$")
	return stats[name], err
}

// Stats returns the counters and gauges whose names the RE2 expression matches
// anywhere.
func (p *Process) Stats(ctx context.Context, expression string) (map[string]int64, error) {
	body, err := p.Admin(ctx, "/stats?format=json&type=All&filter="+url.QueryEscape(expression))
	if err != nil {
		return nil, err
	}
	var stats struct {
		Stats []struct {
			Name  string           `json:"name"`
			Value *json.RawMessage `json:"value"` // a histogram has none
		} `json:"stats"`
	}
	if err := json.Unmarshal(body, &stats); err != nil {
		return nil, fmt.Errorf("read envoy's statistics: %w", err)
	}
	values := make(map[string]int64, len(stats.Stats))
	for _, s := range stats.Stats {
		if s.Value == nil {
			continue
		}
		if n, err := strconv.ParseInt(string(*s.Value), 10, 64); err == nil { // else a text readout
			values[s.Name] = n
		}
	}
	return values, nil
}
