package app

import (
	"fmt"
	"strings"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/weirmesh/weir/xds-server/internal/etcdtest"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/etcd"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

// TestServesAnEtcd: what is put into an etcd reaches a client, and what is wrong
// with it is told by its key and revision.
func TestServesAnEtcd(t *testing.T) {
	address, client := etcdtest.Plain(t)
	first := etcdtest.Put(t, client, "/weir/all", resources)
	o := newOptions(t)
	o.Sources = []source.Source{newEtcd(t, address)}
	r := startApp(t, o)
	stream, _ := r.as(t, envoyID)
	ask(t, stream, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.ListenerType})
	if resp := receive(t, stream); len(resp.GetResources()) != 1 || resp.GetResources()[0].GetName() != "gw/http" {
		t.Fatalf("listeners = %v", resp)
	}

	etcdtest.Put(t, client, "/weir/all", strings.Replace(resources, "name: http,", "name: web,", 1))
	added := receive(t, stream)
	if len(added.GetResources()) != 1 || added.GetResources()[0].GetName() != "gw/web" {
		t.Fatalf("after a change: %v", added)
	}

	bad := etcdtest.Put(t, client, "/weir/all", strings.Replace(resources, "weight: 100", "weight: 99", 1))
	r.log.await(t, "last good versions stay")
	s := r.status(t)
	if want := fmt.Sprintf("etcd:/weir/all@%d", bad); len(s.Config.Problems) == 0 || s.Config.Problems[0].File != want || bad <= first {
		t.Errorf("problems = %+v, want them at %s", s.Config.Problems, want)
	}
	if len(s.Config.Held) != 1 || s.Config.Held[0].Resource != "ModelRoute/m" || !strings.HasPrefix(s.Config.Held[0].Origin, "etcd:/weir/all@") {
		t.Errorf("held = %+v", s.Config.Held)
	}
}

// TestEtcdOverFolder: what an etcd defines anew counts, and the status says so;
// without it the folder counts again.
func TestEtcdOverFolder(t *testing.T) {
	address, client := etcdtest.Plain(t)
	route := resources[strings.LastIndex(resources, "---"):]
	etcdtest.Put(t, client, "/weir/route", strings.Replace(route, "model: m,", "model: m, timeout: 7s,", 1))
	o := newOptions(t)
	o.Sources = []source.Source{file.NewFolder(folderOf(o)), newEtcd(t, address)}
	r := startApp(t, o)
	if over := r.status(t).Config.Overrides; len(over) != 1 || over[0].Resource != "ModelRoute/m" || !strings.Contains(over[0].Used, "etcd:/weir/route@") {
		t.Errorf("overrides = %+v", over)
	}
	stream, _ := r.as(t, envoyID)
	ask(t, stream, &discoveryv3.DeltaDiscoveryRequest{TypeUrl: snapshot.RouteType, ResourceNamesSubscribe: []string{"m"}})
	first := receive(t, stream)
	if _, err := client.Delete(t.Context(), "/weir/route"); err != nil {
		t.Fatal(err)
	}
	again := receive(t, stream)
	if len(first.GetResources()) != 1 || len(again.GetResources()) != 1 || first.GetResources()[0].GetVersion() == again.GetResources()[0].GetVersion() {
		t.Errorf("routes = %v, then %v", first, again)
	}
}

func newEtcd(t *testing.T, address string) source.Source {
	t.Helper()
	s, err := etcd.New(etcd.Options{Endpoints: []string{address}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
