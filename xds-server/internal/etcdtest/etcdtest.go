// Package etcdtest runs etcd inside the process of a test.
package etcdtest

import (
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// Member is a member of an etcd, in this process.
type Member struct {
	*embed.Etcd
	Stop func() // once or more
}

// Start starts a member, on free ports of loopback unless adapt, which may be nil,
// says otherwise. It ends with the test.
func Start(tb testing.TB, adapt func(*embed.Config)) Member {
	tb.Helper()
	c := embed.NewConfig()
	c.Dir = filepath.Join(tb.TempDir(), "etcd")
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	c.UnsafeNoFsync, c.TickMs, c.ElectionMs = true, 10, 200
	free := URLs("http://127.0.0.1:0")
	c.ListenClientUrls, c.AdvertiseClientUrls, c.ListenPeerUrls, c.AdvertisePeerUrls = free, free, free, free
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	if adapt != nil {
		adapt(c)
	}
	e, err := embed.StartEtcd(c)
	if err != nil {
		tb.Fatal(err)
	}
	m := Member{e, sync.OnceFunc(e.Close)}
	tb.Cleanup(m.Stop)
	return m
}

// Address waits until the member serves and returns its host:port.
func (m Member) Address(tb testing.TB) string {
	tb.Helper()
	select {
	case <-m.Server.ReadyNotify():
	case <-time.After(30 * time.Second):
		tb.Fatal("the embedded etcd does not become ready")
	}
	return m.Clients[0].Addr().String()
}

// Plain is an etcd of one member, without TLS and users, and a client of it.
func Plain(tb testing.TB) (address string, client *clientv3.Client) {
	tb.Helper()
	address = Start(tb, nil).Address(tb)
	return address, NewClient(tb, address)
}

// NewClient is a client of members without TLS.
func NewClient(tb testing.TB, addresses ...string) *clientv3.Client {
	tb.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: addresses, Logger: zap.NewNop(), DialTimeout: 5 * time.Second})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// Put writes a key and returns the revision that it has then.
func Put(tb testing.TB, client *clientv3.Client, key, value string) int64 {
	tb.Helper()
	answer, err := client.Put(tb.Context(), key, value)
	if err != nil {
		tb.Fatal(err)
	}
	return answer.Header.GetRevision()
}

// URLs parses URLs, and leaves out what is none.
func URLs(texts ...string) []url.URL {
	var all []url.URL
	for _, text := range texts {
		if u, err := url.Parse(text); err == nil {
			all = append(all, *u)
		}
	}
	return all
}
