package etcd

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weirmesh/weir/xds-server/internal/etcdtest"
	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/strictyaml"
)

func TestRead(t *testing.T) {
	address, client := etcdtest.Plain(t)
	var want []string
	for i := range 3*pageKeys + 1 {
		etcdtest.Put(t, client, fmt.Sprintf("/weir/models/%03d", i), fmt.Sprint(i))
		want = append(want, fmt.Sprintf("models/%03d=%d", i, i))
	}
	etcdtest.Put(t, client, "/weirdo", "another's")
	etcdtest.Put(t, client, "/weir/models/", "a marker")
	revision := etcdtest.Put(t, client, "/weir/a \x1b", "x")
	u := must[source.Update](t)(source.Read(t.Context(), []source.Source{newSource(t, Options{Endpoints: []string{address}})}))
	if got := describe(u); got != `"a \x1b"=x `+strings.Join(want, " ") {
		t.Errorf("read %s", got)
	}
	if got, want := u.Documents[0].Origin, fmt.Sprintf(`etcd:"/weir/a \x1b"@%d`, revision); got != want {
		t.Errorf("origin %s, want %s", got, want)
	}
	if got, want := u.Documents[1].Origin, "etcd:/weir/models/000@2"; got != want {
		t.Errorf("origin %s, want %s", got, want)
	}
}

func TestFollow(t *testing.T) {
	address, client := etcdtest.Plain(t)
	wait := follow(t, newSource(t, Options{Endpoints: []string{address}}), nil)
	wait(is(""))
	etcdtest.Put(t, client, "/weir/b", "1")
	wait(is("b=1"))
	etcdtest.Put(t, client, "/weir/a", "1")
	wait(is("a=1 b=1"))
	must[*clientv3.TxnResponse](t)(client.Txn(t.Context()).Then(clientv3.OpPut("/weir/c", "2"), clientv3.OpDelete("/weir/a"), clientv3.OpPut("/weir/b", "2")).Commit())
	wait(is("b=2 c=2"))
	must[*clientv3.DeleteResponse](t)(client.Delete(t.Context(), "/weir/", clientv3.WithPrefix()))
	wait(is(""))
	// Values may be larger than files; the others go on.
	etcdtest.Put(t, client, "/weir/huge", strings.Repeat("x", strictyaml.MaxFileBytes+1000))
	etcdtest.Put(t, client, "/weir/small", "1")
	wait(is("huge=" + strings.Repeat("x", strictyaml.MaxFileBytes+1) + " small=1"))
	list := strings.Repeat("word\n", strictyaml.MaxFileBytes/5+1000) // lists of words have a limit of their own
	etcdtest.Put(t, client, "/weir/names.words", list)
	must[*clientv3.DeleteResponse](t)(client.Delete(t.Context(), "/weir/huge"))
	wait(is("names.words=" + list + " small=1"))
}

// TestNeverHalf: keys that are written together are delivered together, in any
// order of writes and through losses of the connection, and the newest arrive.
func TestNeverHalf(t *testing.T) {
	address, client := etcdtest.Plain(t)
	p := newProxy(t, address)
	wait := follow(t, newSource(t, Options{Endpoints: []string{p.address()}}), func(u source.Update) {
		values := make(map[string]string)
		for _, d := range u.Documents {
			values[d.Name] = string(d.Data)
		}
		if values["a"] != values["b"] || values["a"] != values["z"] {
			t.Errorf("half of a transaction was delivered: a=%q b=%q z=%q", values["a"], values["b"], values["z"])
		}
	})
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		value := fmt.Sprint(i)
		operations := []clientv3.Op{clientv3.OpPut("/weir/a", value), clientv3.OpPut("/weir/z", value), clientv3.OpPut("/weir/b", value)}
		if random.IntN(10) == 0 {
			operations = []clientv3.Op{clientv3.OpDelete("/weir/a"), clientv3.OpDelete("/weir/b"), clientv3.OpDelete("/weir/z")}
		}
		revision := must[*clientv3.TxnResponse](t)(client.Txn(t.Context()).Then(operations...).Commit()).Header.GetRevision()
		switch random.IntN(40) {
		case 0:
			p.cut()
		case 1:
			must[*clientv3.CompactResponse](t)(client.Compact(t.Context(), revision))
		case 2, 3, 4:
			p.resume()
		}
	}
	p.resume()
	must[*clientv3.TxnResponse](t)(client.Txn(t.Context()).Then(clientv3.OpPut("/weir/a", "last"), clientv3.OpPut("/weir/b", "last"), clientv3.OpPut("/weir/z", "last")).Commit())
	wait(is("a=last b=last z=last"))
}

// TestApply holds apply to a map, with events in batches of any size.
func TestApply(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	held, model := keys{prefix: "/weir/"}, make(map[string]string)
	for revision := int64(1); revision < 2000; revision++ {
		var events []*clientv3.Event
		for range random.IntN(4) {
			name, value := fmt.Sprint(random.IntN(20)), fmt.Sprint(random.IntN(5))
			e := event("/weir/"+name, value, revision)
			if random.IntN(3) == 0 {
				e.Type = clientv3.EventTypeDelete
				delete(model, name)
			} else {
				model[name] = value
			}
			events = append(events, e)
		}
		held = held.apply(events, revision)
		size := 0
		for i, d := range held.sorted {
			if model[d.Name] != string(d.Data) {
				t.Fatalf("revision %d: %s is %s, want %s", revision, d.Name, d.Data, model[d.Name])
			}
			if i > 0 && held.sorted[i-1].Name >= d.Name {
				t.Fatalf("revision %d: not in order", revision)
			}
			size += len(d.Data)
		}
		if len(held.sorted) != len(model) || held.bytes != size {
			t.Fatalf("revision %d: %d keys with %d bytes, want %d with %d", revision, len(held.sorted), held.bytes, len(model), size)
		}
	}
}

func event(key, value string, revision int64) *clientv3.Event {
	return &clientv3.Event{Kv: &mvccpb.KeyValue{Key: []byte(key), Value: []byte(value), ModRevision: revision}}
}

func TestBound(t *testing.T) {
	for _, k := range []keys{{prefix: "/", bytes: MaxBytes + 1}, {prefix: "/", sorted: make([]source.Document, MaxKeys+1)}} {
		if err := k.bound(); err == nil || !strings.Contains(err.Error(), "is it the right --etcd-prefix?") {
			t.Errorf("%d keys with %d bytes: %v", len(k.sorted), k.bytes, err)
		}
	}
	if err := (keys{bytes: MaxBytes, sorted: make([]source.Document, MaxKeys)}).bound(); err != nil {
		t.Error(err)
	}
}

func TestReadable(t *testing.T) {
	seen := make(map[string]string)
	for _, text := range []string{"", `""`, "a", `"a"`, "a\n", `a\n`, `"a\n"`, "\xff", `"\xff"`, "ä", "a b", "\u202e"} {
		got := readable(text)
		if other, twice := seen[got]; twice {
			t.Errorf("%q and %q are both %s", text, other, got)
		}
		seen[got] = text
	}
}
