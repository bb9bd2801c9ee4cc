package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weirmesh/weir/xds-server/internal/admin"
	"github.com/weirmesh/weir/xds-server/internal/deltaxds"
	"github.com/weirmesh/weir/xds-server/internal/identity"
	"github.com/weirmesh/weir/xds-server/internal/identity/devca"
	"github.com/weirmesh/weir/xds-server/internal/identity/issue"
	"github.com/weirmesh/weir/xds-server/internal/metrics"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

var (
	operatorID = spiffeid.RequireFromString("spiffe://weir.test/xds-server") // the one identity of this process
	envoyID    = spiffeid.RequireFromString("spiffe://weir.test/envoy")
)

// plane is a control plane with two configurations, of which it holds one.
type plane struct {
	operators admin.Operators
	snapshots map[uint64]*snapshot.Snapshot
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	p := &plane{snapshots: make(map[uint64]*snapshot.Snapshot)}
	for revision := range uint64(2) {
		r, err := snapshot.NewResource("m@v1", &clusterv3.Cluster{Name: "m@v1", ConnectTimeout: durationpb.New(time.Duration(revision+1) * time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		if p.snapshots[revision+1], err = snapshot.New(r.From("models.yaml:1")); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *plane) Ready() error { return nil }

func (p *plane) Status() admin.Status {
	return admin.Status{
		Config: admin.ConfigStatus{Revision: 2, LoadedAt: time.Now()},
		Nodes:  []deltaxds.StreamStatus{{Stream: 1, SPIFFEID: envoyID, Node: "envoy-1", InSync: true}, {Stream: 2, SPIFFEID: operatorID, Node: "envoy-2"}},
	}
}

func (p *plane) Operators() admin.Operators { return p.operators }

func (p *plane) Revisions() []admin.Revision {
	return []admin.Revision{{Number: 2, Cause: "changed"}, {Number: 1, Cause: "start"}}
}

func (p *plane) Snapshots(_ context.Context, number uint64) (map[spiffeid.ID]*snapshot.Snapshot, error) {
	if number == 0 {
		number = 2
	}
	if p.snapshots[number] == nil {
		return nil, fmt.Errorf("%d: %w", number, admin.ErrNoRevision)
	}
	return map[spiffeid.ID]*snapshot.Snapshot{envoyID: p.snapshots[number]}, nil
}

func (p *plane) Rollback(_ context.Context, number uint64, _, _ string) (admin.Revision, error) {
	if p.snapshots[number] == nil {
		return admin.Revision{}, fmt.Errorf("%d: %w", number, admin.ErrNoRevision)
	}
	return admin.Revision{Number: 3, RollbackOf: number}, nil
}

func (p *plane) Resume(context.Context, string, string) (uint64, error) {
	return 0, fmt.Errorf("no rollback holds: %w", admin.ErrRefused)
}

// start serves the plane until the test ends.
func (p *plane) start(t *testing.T, serve func(context.Context, *admin.Server, net.Listener) error) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := admin.New(admin.Config{Backend: p, Metrics: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler), Now: time.Now})
	background(t, func(ctx context.Context) error { return serve(ctx, server, listener) })
	return listener.Addr().String()
}

func background(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestOperatorCommands(t *testing.T) {
	address := newPlane(t).start(t, func(ctx context.Context, s *admin.Server, l net.Listener) error { return s.ServeLoopback(ctx, l) })
	for _, tc := range []struct {
		args           string
		status         int
		stdout, stderr string // a part of it
	}{
		{"get", exitUsage, "", "nodes|resources"},
		{"get pods", exitUsage, "", `no "pods"`},
		{"get nodes", exitOK, "envoy-1   spiffe://weir.test/envoy", ""},
		{"get nodes --node envoy-2 -o json", exitOK, `"node": "envoy-2"`, ""},
		{"get nodes -o yaml", exitUsage, "", "table or json"},
		{"get nodes more", exitUsage, "", `"more"`},
		{"get -o json resources", exitOK, `"name": "m@v1"`, ""},
		{"get resources --type cluster --name m@v1 --body", exitOK, `"connectTimeout": "2s"`, ""},
		{"get resources --type pods", exitWrong, "", "write cluster"},
		{"get resources --watch", exitUsage, "", "--watch is for"},
		{"get snapshots", exitOK, "2          in force", ""},
		{"get diff", exitOK, `~ connectTimeout: "1s" -> "2s"`, ""},
		{"get diff 2 1", exitOK, `~ connectTimeout: "2s" -> "1s"`, ""},
		{"get diff 1 9", exitWrong, "", "no such revision"},
		{"get diff one", exitUsage, "", "no revision"},
		{"get diff 1 2 3", exitUsage, "", `"3"`},
		{"get status", exitOK, "2 connected, 1 in sync", ""},
		{"get status --interval 0s", exitUsage, "", "--interval"},
		{"rollback 1 --reason slow", exitOK, "revision 3 is in force, with the content of 1", ""},
		{"rollback 7", exitWrong, "", "no such revision"},
		{"rollback", exitUsage, "", "name one revision"},
		{"rollback 0", exitUsage, "", "no revision"},
		{"resume", exitWrong, "", "no rollback holds"},
		{"resume now", exitUsage, "", `"now"`},
	} {
		t.Run(tc.args, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			args := append(strings.Fields(tc.args), "--server", "http://"+address)
			status := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
			if status != tc.status || !strings.Contains(stdout.String(), tc.stdout) || !strings.Contains(stderr.String(), tc.stderr) {
				t.Errorf("status %d, want %d with %q and %q; got\n%s\n%s", status, tc.status, tc.stdout, tc.stderr, &stdout, &stderr)
			}
		})
	}
}

func TestServerAddresses(t *testing.T) {
	t.Setenv("SPIFFE_ENDPOINT_SOCKET", "")
	for args, want := range map[string]string{
		"get nodes --server 127.0.0.1:18001":                          "write http://",
		"get nodes --server http://127.0.0.1":                         "write http://",
		"get nodes --server http://127.0.0.1:1/v1":                    "write http://",
		"get nodes --server https://127.0.0.1:1":                      "SPIFFE_ENDPOINT_SOCKET",
		"get nodes --server http://127.0.0.1:1":                       "is the xds-server there?",
		"resume --server http://127.0.0.1:1":                          "is the xds-server there?",
		"get nodes --watch --server http://127.0.0.1:1 --interval 1s": "is the xds-server there?",
	} {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), strings.Fields(args), nil, &stdout, &stderr); status == exitOK || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: status %d, %s", args, status, &stderr)
		}
	}
}

// A watch shows what there is, and ends with the user.
func TestWatchEndsWithTheUser(t *testing.T) {
	address := newPlane(t).start(t, func(ctx context.Context, s *admin.Server, l net.Listener) error { return s.ServeLoopback(ctx, l) })
	for _, subject := range []string{"nodes", "status"} {
		ctx, cancel := context.WithCancel(t.Context())
		out, in := io.Pipe()
		status := make(chan int, 1)
		go func() {
			status <- run(ctx, []string{"get", subject, "--watch", "-o", "json", "--identity", envoyID.String(), "--server", "http://" + address}, nil, in, io.Discard)
			_ = in.Close()
		}()
		var first struct{ Nodes []struct{ Node string } }
		if err := json.NewDecoder(out).Decode(&first); err != nil || first.Nodes[0].Node != "envoy-1" {
			t.Errorf("%s: %+v, %v", subject, first, err)
		}
		cancel()
		_, _ = io.Copy(io.Discard, out)
		if got := <-status; got != exitOK {
			t.Errorf("%s: status %d", subject, got)
		}
	}
}

// Over mTLS both sides take their identities from the development CA.
func TestOperatorCommandsOverMutualTLS(t *testing.T) {
	dir := t.TempDir()
	ca, err := devca.Open(devca.Config{TrustDomain: operatorID.TrustDomain(), Dir: dir, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "identity", "workload.sock")
	endpoint, err := identity.NewEndpoint(identity.Config{Socket: socket, Authority: ca, Observer: metrics.New(), Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	background(t, endpoint.Serve)
	if err := endpoint.SetEntries([]issue.Entry{{ID: operatorID, Selectors: []string{"unix:uid:" + strconv.Itoa(os.Geteuid())}}}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SPIFFE_ENDPOINT_SOCKET", "unix://"+socket)
	source, err := workloadapi.NewX509Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := source.Close(); err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
	p := newPlane(t)
	p.operators = admin.Operators{Read: []spiffeid.ID{operatorID}}
	address := p.start(t, func(ctx context.Context, s *admin.Server, l net.Listener) error {
		return s.ServeTLS(ctx, l, source, source)
	})
	for _, tc := range []struct {
		args   string
		status int
		part   string
	}{
		{"get nodes", exitOK, "envoy-1"},
		{"rollback 1", exitWrong, "may not write"},
		{"get nodes --server-id spiffe://weir.test/other", exitWrong, "does not answer"},
		{"get nodes --server-id other", exitUsage, "--server-id"},
	} {
		var out bytes.Buffer
		if status := run(t.Context(), append(strings.Fields(tc.args), "--server", "https://"+address), nil, &out, &out); status != tc.status || !strings.Contains(out.String(), tc.part) {
			t.Errorf("%s: status %d\n%s", tc.args, status, &out)
		}
	}
}
