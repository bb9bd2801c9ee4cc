package view

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/weirmesh/weir/xds-server/api/admin/v1"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func ago(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(-d)) }

const (
	clusterType  = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	listenerType = "type.googleapis.com/envoy.config.listener.v3.Listener"
)

func nodes() []*adminv1.Node {
	return []*adminv1.Node{
		{
			Stream: 2, Identity: "spiffe://weir.test/edge", Node: "edge-1", Address: "10.0.0.2:4002", Connected: ago(3 * time.Hour),
			Version: "3514b05dc4ce1a3c64ca90c8f21e4691", InSync: true, Serving: &adminv1.Serving{State: "confirmed"},
		},
		{
			Stream: 1, Identity: "spiffe://weir.test/envoy", Node: "envoy-1", Address: "10.0.0.1:4001", Connected: ago(90 * time.Second),
			Version: "8626c3544c373081d7fd7e2928453cd1", Serving: &adminv1.Serving{State: "awaited", Detail: "cluster a@v1 warms"},
			Warming: []string{"b@v1"}, WarmFailure: "c@v1 was not ready within 5s",
			Types: []*adminv1.TypeState{
				{
					Type: clusterType, Pending: 2, Nacks: 1, ParkedMore: 7,
					Parked: []*adminv1.Parked{{Name: "a@v1", Version: "539e54bc60b7ad9b814085253338bbaa", Origin: "models.yaml:3", Since: ago(4 * time.Second), Message: "no\nsuch\tthing \x1b[31mred"}},
				},
				{Type: listenerType, Pending: 1, HeldBack: []string{"gw/http"}},
			},
		},
	}
}

func status() *adminv1.Status {
	return &adminv1.Status{
		Config: &adminv1.ConfigStatus{
			Versions: map[string]string{"spiffe://weir.test/envoy": "8626c3544c373081d7fd7e2928453cd1", "spiffe://weir.test/edge": "3514b05dc4ce1a3c64ca90c8f21e4691"},
			LoadedAt: ago(50 * time.Second), Revision: 3, Pin: &adminv1.Pin{Number: 3, By: "spiffe://weir.test/operator", Since: ago(40 * time.Second)},
			Problems: []*adminv1.Problem{{File: "models.yaml", Line: 12, Resource: "Model/b", Field: "spec.versions", Message: "is empty", Hint: "name one"}, {Message: "the folder is gone"}}, ProblemsSince: ago(2 * time.Second),
			Held:      []*adminv1.HeldResource{{Resource: "Model/b", Origin: "models.yaml:9", Since: ago(2 * time.Second), Message: "spec.versions is empty"}, {Resource: "Model/new", Message: "spec.versions is empty"}},
			Overrides: []*adminv1.Override{{Resource: "Model/c", Used: "etcd:/weir/c@7", Ignored: "models.yaml:20"}},
		},
		Identity: &adminv1.IdentityStatus{Source: "development CA", SpiffeId: "spiffe://weir.test/xds-server", Expires: ago(-30 * time.Minute)},
		Sources:  []*adminv1.SourceStatus{{Name: "etcd", Connected: true, Position: "revision 7", Documents: 1, ReadAt: ago(time.Second)}, {Name: "folder", Error: "permission denied"}},
		Canaries: []*adminv1.CanaryGroup{{
			Name: "gw", State: "held", Since: ago(time.Minute), Reason: "a canary refused it",
			Canaries:  []*adminv1.CanaryMember{{Identity: "spiffe://weir.test/envoy", Version: "8626c3544c373081", Says: "envoy-1 refused a@v1"}},
			Followers: []*adminv1.CanaryMember{{Identity: "spiffe://weir.test/edge", Version: "3514b05dc4ce1a3c", Awaits: "8626c3544c373081"}},
		}},
		Nodes: nodes(),
		Changes: []*adminv1.Change{
			{
				Revision: 3, Cause: "models.yaml changed", Accepted: ago(time.Second), Translated: ago(998 * time.Millisecond), Published: ago(997 * time.Millisecond), FirstSent: ago(995 * time.Millisecond),
				Nodes: []*adminv1.NodeTrace{{Node: "envoy-1", Sent: ago(995 * time.Millisecond), Refused: 1}, {Node: "edge-1", Converged: ago(990 * time.Millisecond)}}, Converged: ago(990 * time.Millisecond),
			},
			{Revision: 2, Accepted: ago(time.Hour)},
		},
	}
}

func TestTables(t *testing.T) {
	long := `"` + strings.Repeat("ü", 200) + `"`
	for name, text := range map[string]string{
		"nodes":  Nodes(nodes(), now),
		"status": Status(status(), now),
		"fresh":  Status(&adminv1.Status{}, now),
		"resources": Resources([]*adminv1.Resource{
			{Identity: "spiffe://weir.test/envoy", Type: clusterType, Name: "a@v1", Version: "539e54bc60b7ad9b", Origin: "models.yaml:3", ParkedAt: []*adminv1.ParkedAt{{Node: "envoy-1"}, {Node: "envoy-2"}}},
			{Identity: "spiffe://weir.test/envoy", Type: listenerType, Name: "gw/http", Version: "1"},
		}),
		"snapshots": Snapshots(&adminv1.ListSnapshotsResponse{
			InForce: 3, Pin: &adminv1.Pin{Number: 3, By: "spiffe://weir.test/operator"},
			Revisions: []*adminv1.Revision{
				{Number: 3, Time: ago(time.Minute), Cause: "rollback to 1: v2 is slow", By: "spiffe://weir.test/operator", RollbackOf: 1, Versions: map[string]string{"a": "b"}},
				{Number: 1, Time: ago(100 * time.Hour), Cause: "start", By: "sources", Versions: map[string]string{"a": "b"}},
			},
		}, now),
		"diff": Diff(&adminv1.DiffResponse{From: 1, To: 3, Identities: []*adminv1.IdentityDiff{{
			Identity: "spiffe://weir.test/envoy", FromVersion: "3514b05dc4ce1a3c", ToVersion: "8626c3544c373081",
			Resources: []*adminv1.ResourceDiff{
				{Type: clusterType, Name: "a@v1", Kind: adminv1.ResourceDiff_CHANGED, Origin: "models.yaml:3", Fields: []*adminv1.FieldDiff{
					{Path: "connectTimeout", Before: `"1s"`, After: `"2s"`}, {Path: "new", After: long}, {Path: "old", Before: "1"},
				}},
				{Type: clusterType, Name: "b@v1", Kind: adminv1.ResourceDiff_REMOVED, Origin: "models.yaml:9"},
				{Type: clusterType, Name: "c@v1", Kind: adminv1.ResourceDiff_ADDED},
			},
		}, {Identity: "spiffe://weir.test/gone", FromVersion: "1"}}}),
	} {
		golden(t, name+".txt", text)
	}
	for what, text := range map[string]string{
		"no Envoy": Nodes(nil, now), "no resource": Resources(nil), "no configuration": Snapshots(&adminv1.ListSnapshotsResponse{}, now),
		"nothing differs": Diff(&adminv1.DiffResponse{From: 1, To: 2}),
	} {
		if !strings.Contains(text, what) {
			t.Errorf("nothing to show: %q, want %q", text, what)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1499 * time.Microsecond: "1ms", 2340 * time.Millisecond: "2.3s", 90 * time.Second: "1m30s", time.Minute: "1m",
		time.Hour: "1h0m", 25*time.Hour + 61*time.Second: "25h1m", 50 * time.Hour: "2d2h", -time.Minute: "-1m",
	} {
		if got := span(d); got != want {
			t.Errorf("%s: %q, want %q", fmt.Sprint(int64(d)), got, want)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o700), os.WriteFile(path, []byte(got), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs (-update writes it anew):\n%s", path, got)
	}
}
