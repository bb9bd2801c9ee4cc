package etcd

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/weirmesh/weir/xds-server/internal/etcdtest"
)

// TestLost: what was read stays, the loss is reported, and the newest arrives.
func TestLost(t *testing.T) {
	for _, test := range []struct {
		name string
		lose func(*proxy)
		want string
	}{
		{"connection cut", (*proxy).cut, "(what it held before stays)"},
		{"silence", (*proxy).stall, "its watch says nothing any more, for 500ms: is it running, and its network? (what it held before stays)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			address, client := etcdtest.Plain(t)
			p := newProxy(t, address)
			wait := follow(t, newSource(t, Options{Endpoints: []string{p.address()}}), nil)
			etcdtest.Put(t, client, "/weir/a", "1")
			wait(is("a=1"))
			test.lose(p)
			etcdtest.Put(t, client, "/weir/a", "2")
			etcdtest.Put(t, client, "/weir/b", "2")
			wait(contains("a=1 ! etcd "+p.address()+" under /weir/: ", test.want))
			p.resume()
			wait(is("a=2 b=2"))
			must[*clientv3.DeleteResponse](t)(client.Delete(t.Context(), "/weir/a"))
			wait(is("b=2"))
		})
	}
}

// TestCompacted: a watch that comes back too late for what it missed reads anew.
func TestCompacted(t *testing.T) {
	address, client := etcdtest.Plain(t)
	p := newProxy(t, address)
	s := newSource(t, Options{Endpoints: []string{p.address()}})
	s.timing.silence = time.Minute // the watch itself comes back, and is told
	wait := follow(t, s, nil)
	etcdtest.Put(t, client, "/weir/gone", "1")
	wait(is("gone=1"))
	p.cut()
	must[*clientv3.DeleteResponse](t)(client.Delete(t.Context(), "/weir/gone"))
	revision := int64(0)
	for i := range 10 {
		revision = etcdtest.Put(t, client, "/weir/a", fmt.Sprint(i))
	}
	must[*clientv3.CompactResponse](t)(client.Compact(t.Context(), revision))
	p.resume()
	wait(is("a=9"))
	etcdtest.Put(t, client, "/weir/a", "10")
	wait(is("a=10"))
}

// TestUnreachable: an etcd that is not there yet is waited for.
func TestUnreachable(t *testing.T) {
	address, client := etcdtest.Plain(t)
	etcdtest.Put(t, client, "/weir/a", "1")
	p := newProxy(t, address)
	p.cut()
	wait := follow(t, newSource(t, Options{Endpoints: []string{p.address()}}), nil)
	wait(contains("(it has not been read yet)"))
	p.resume()
	wait(is("a=1"))
}

func TestRestart(t *testing.T) {
	var config embed.Config
	e := etcdtest.Start(t, func(c *embed.Config) { config = *c })
	address := e.Address(t)
	etcdtest.Put(t, etcdtest.NewClient(t, address), "/weir/a", "1")
	wait := follow(t, newSource(t, Options{Endpoints: []string{address}}), nil)
	wait(is("a=1"))
	e.Stop()
	wait(contains("a=1 ! etcd "))
	config.ListenClientUrls = etcdtest.URLs("http://" + address)
	again := etcdtest.Start(t, func(c *embed.Config) { c.Dir, c.ListenClientUrls = config.Dir, config.ListenClientUrls })
	etcdtest.Put(t, etcdtest.NewClient(t, again.Address(t)), "/weir/b", "2")
	wait(is("a=1 b=2"))
}

// TestLeaderChange: three members; the leader dies, then comes a write.
func TestLeaderChange(t *testing.T) {
	members := startCluster(t, 3)
	var addresses []string
	for _, e := range members {
		addresses = append(addresses, e.Address(t))
	}
	wait := follow(t, newSource(t, Options{Endpoints: addresses}), nil)
	etcdtest.Put(t, etcdtest.NewClient(t, addresses...), "/weir/a", "1")
	wait(is("a=1"))
	leader := slices.IndexFunc(members, func(e etcdtest.Member) bool { return e.Server.Leader() == e.Server.MemberID() })
	if leader < 0 {
		t.Fatal("no member is the leader")
	}
	members[leader].Stop()
	etcdtest.Put(t, etcdtest.NewClient(t, slices.Delete(addresses, leader, leader+1)...), "/weir/a", "2")
	wait(is("a=2"))
}

func startCluster(t *testing.T, size int) []etcdtest.Member {
	t.Helper()
	var peers, initial []string
	for i := range size {
		reserved := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
		peers = append(peers, "http://"+reserved.Addr().String())
		initial = append(initial, fmt.Sprintf("m%d=%s", i, peers[i]))
		if err := reserved.Close(); err != nil {
			t.Fatal(err)
		}
	}
	folder := t.TempDir()
	var members []etcdtest.Member
	for i := range size {
		members = append(members, etcdtest.Start(t, func(c *embed.Config) {
			c.Name, c.Dir, c.InitialCluster = fmt.Sprintf("m%d", i), filepath.Join(folder, fmt.Sprint(i)), strings.Join(initial, ",")
			c.ListenPeerUrls, c.AdvertisePeerUrls = etcdtest.URLs(peers[i]), etcdtest.URLs(peers[i])
		}))
	}
	return members
}
