package wasmhost

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/filter/policy/evidence"
)

// sealing is a document whose records make a chain.
func sealing(policy string) string {
	return `{"models":[{"name":"m"}],"settings":{"evidence":"` + policy + `","holdLimit":1048576,"maxDepth":64,"overflow":"refuse","record":true,"workerHoldLimit":16777216},"version":"weir.dev/v1alpha1"}`
}

// sealer is a VM whose records make a chain.
type sealer struct {
	*VM
	t  *testing.T
	at time.Time
}

func newSealer(t *testing.T, policy string, data *SharedData) *sealer {
	t.Helper()
	s := &sealer{t: t, at: time.Unix(1_700_000_000, 0)}
	var err error
	if s.VM, err = filterModule(t).NewVM(t.Context(), Options{Shared: data, Now: func() time.Time { return s.at }}); err != nil {
		t.Fatal(err)
	}
	if err := s.Configure([]byte(sealing(policy))); err != nil {
		t.Fatal(err)
	}
	return s
}

// asks lets a second pass and returns what is asked of the xds-server, if anything is.
func (s *sealer) asks(seconds int) (call HTTPCall, head evidence.Head, key uint32) {
	s.t.Helper()
	for range seconds {
		s.at = s.at.Add(time.Second)
		if err := s.Tick(); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, call = range s.TakeCalls() {
		if path, _ := call.Headers.Get(":path"); path != "/weir.evidence.v1.Keys/Give" || call.Cluster != "xds" {
			s.t.Fatalf("a call to %s of %v", call.Cluster, call.Headers)
		}
		var err error
		if head, key, err = evidence.ReadAsk(call.Body[8:]); err != nil {
			s.t.Fatal(err)
		}
	}
	return call, head, key
}

// give answers with the keys of a number.
func (s *sealer) give(call HTTPCall, number uint32) {
	s.t.Helper()
	b := evidence.AppendAnswer(nil, &evidence.Keys{Number: number, Chain: chainKey(number)})
	message := append([]byte{10, byte(len(b))}, b...)
	if err := s.Answer(call, append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)); err != nil {
		s.t.Fatal(err)
	}
}

func chainKey(number uint32) (key [evidence.KeySize]byte) {
	key[0] = byte(number)
	return key
}

// record is that of a request, with its place in the chain, which must be right.
func (s *sealer) record(body string) (record string, link evidence.Link) {
	s.t.Helper()
	o := do(s.t, s.VM, chat(body))
	record = string(o.FilterState["wasm.weir"])
	link, covered, err := evidence.Read([]byte(record))
	if err != nil {
		s.t.Fatalf("%s: %v", record, err)
	}
	var secret []byte
	if link.Key != evidence.NoKey {
		k := chainKey(link.Key)
		secret = k[:]
	}
	if evidence.CodeOf(secret, covered) != link.Code {
		s.t.Fatalf("the code of %s is wrong", record)
	}
	return record, link
}

// TestSeal has a worker chain its records from the first on, seal them when its key is
// there and take a newer one, and tell how far it has come.
func TestSeal(t *testing.T) {
	data := NewSharedData()
	s := newSealer(t, "open", data)
	first, _, _ := s.asks(0)
	if first.Body == nil {
		t.Fatal("nothing was asked when the configuration came")
	}
	_, l1 := s.record(`{"model":"m"}`)
	_, l2 := s.record(`{"model":"unknown"}`)
	if l1.Key != 0 || l1.Seq != 1 || l1.Prev != (evidence.Code{}) || l2.Seq != 2 || l2.Prev != l1.Code || l2.Epoch != l1.Epoch {
		t.Errorf("unsealed: %+v, %+v", l1, l2)
	}
	if err := s.Answer(first, nil); err != nil { // nobody is there
		t.Fatal(err)
	}
	call, head, key := s.asks(1)
	if key != 0 || head.Seq != 2 || head.Code != l2.Code || head.Epoch != l2.Epoch {
		t.Errorf("told of %+v, key %d", head, key)
	}
	s.give(call, 7)
	_, l3 := s.record(`{"model":"m"}`)
	if l3.Key != 7 || l3.Seq != 3 || l3.Prev != l2.Code {
		t.Errorf("sealed: %+v", l3)
	}
	if call, _, _ = s.asks(9); call.Body != nil {
		t.Error("told too often")
	}
	if call, head, key = s.asks(2); key != 7 || head.Seq != 3 {
		t.Errorf("told of %+v, key %d", head, key)
	}
	s.give(call, 8)
	if _, l := s.record(`{"model":"m"}`); l.Key != 8 || l.Seq != 4 || l.Prev != l3.Code {
		t.Errorf("under a newer key: %+v", l)
	}
	s.asks(1)
	if m := metrics(t, s.VM); m["weir.records_sealed"] != 2 || m["weir.records_unsealed"] != 2 || m["weir.record_key_failures"] != 1 {
		t.Errorf("metrics %v", m)
	}
	// Another configuration changes nothing in the chain and its key.
	if err := s.Configure([]byte(sealing("closed"))); err != nil {
		t.Fatal(err)
	}
	if _, l := s.record(`{"model":"m"}`); l.Key != 8 || l.Seq != 5 || l.Epoch != l1.Epoch {
		t.Errorf("under another configuration: %+v", l)
	}
	// A VM that takes this one's place has its keys at once, and a chain of its own.
	other := newSealer(t, "closed", data)
	if _, l := other.record(`{"model":"m"}`); l.Key != 8 || l.Seq != 1 || l.Epoch == l1.Epoch {
		t.Errorf("another VM: %+v", l)
	}
}

// TestSealClosed refuses requests until there is a key; the refusals are recorded.
func TestSealClosed(t *testing.T) {
	s := newSealer(t, "closed", NewSharedData())
	call, _, _ := s.asks(0)
	record, l := s.record(`{"model":"m"}`)
	if l.Key != 0 || !strings.Contains(record, `"outcome":"evidence_unavailable"`) {
		t.Errorf("without a key: %s", record)
	}
	for _, bad := range [][]byte{{}, {0, 0, 0, 0, 2, 10, 0}, []byte("no answer at all")} {
		if err := s.Answer(call, bad); err != nil {
			t.Fatal(err)
		}
		if call, _, _ = s.asks(1); call.Body == nil {
			t.Fatal("not asked again")
		}
	}
	s.give(call, 1)
	if record, l = s.record(`{"model":"m"}`); l.Key != 1 || l.Seq != 2 || !strings.Contains(record, `"outcome":"forward"`) {
		t.Errorf("with a key: %s", record)
	}
}

// TestSealAllocatesNothing makes many records.
func TestSealAllocatesNothing(t *testing.T) {
	s := newSealer(t, "open", NewSharedData())
	for range 100 {
		s.record(`{"model":"m"}`)
	}
	before := s.mallocs()
	for range 1000 {
		s.record(`{"model":"m"}`)
	}
	if n := s.mallocs() - before; n != 0 {
		t.Errorf("%d allocations for 1000 records", n)
	}
}

func (s *sealer) mallocs() uint64 {
	s.t.Helper()
	n, err := s.Call("weir_mallocs")
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
