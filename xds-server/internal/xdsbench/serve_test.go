package xdsbench

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/credentials/insecure"
)

// served is a server of this process, as a child process is one.
type served struct {
	orders  *json.Encoder
	answers *json.Decoder
	hello   hello
}

func startServed(t *testing.T, server string, models int) *served {
	t.Helper()
	module := filepath.Join(t.TempDir(), "filter.wasm")
	if err := os.WriteFile(module, []byte("\x00asm\x01\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	ordersOut, orders := io.Pipe()
	answers, answersIn := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := Serve(context.Background(), ServeOptions{Server: server, Models: models, Module: module}, ordersOut, answersIn)
		ended <- err
		_ = answersIn.CloseWithError(err)
	}()
	t.Cleanup(func() {
		_ = orders.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	s := &served{orders: json.NewEncoder(orders), answers: json.NewDecoder(answers)}
	if err := s.answers.Decode(&s.hello); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestClientsGetEverythingAndEveryChange holds for our server as for those that
// it is compared with, or the comparison would mean nothing.
func TestClientsGetEverythingAndEveryChange(t *testing.T) {
	for _, server := range []string{ServerWeir, ServerSnapshot, ServerLinear} {
		t.Run(server, func(t *testing.T) {
			m := mesh{models: 20}
			s := startServed(t, server, m.models)
			if want := m.counts(); s.hello.Resources != want {
				t.Fatalf("the server has %v resources, want %v", s.hello.Resources, want)
			}
			clients, err := openFleet(t.Context(), s.hello.Address, insecure.NewCredentials(), newDirectory(), 3, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer clients.close()
			if err := within(t.Context(), 20*time.Second, func(ctx context.Context) error { return clients.await(ctx, s.hello.Resources) }); err != nil {
				t.Fatal(err)
			}
			before := clients.traffic()
			result := s.obey(t, order{What: changeWeight, Step: 1, Count: 5, Clients: 3, Limit: 20 * time.Second, Budget: time.Minute})
			if len(result.Took) != 5 || result.Late+result.Refused > 0 {
				t.Fatalf("weight steps: %+v", result)
			}
			if got := clients.traffic().since(before); got.resources != 3*5 {
				t.Fatalf("5 weight steps sent 3 clients %d resources, want one each", got.resources)
			}
		})
	}
}

func (s *served) obey(t *testing.T, o order) outcome {
	t.Helper()
	if err := s.orders.Encode(o); err != nil {
		t.Fatal(err)
	}
	var result outcome
	if err := s.answers.Decode(&result); err != nil {
		t.Fatal(err)
	}
	if result.Error != "" {
		t.Fatal(result.Error)
	}
	return result
}

// TestClustersAreAcknowledgedWarm has our server send endpoints to clients that
// acknowledge a cluster only when its endpoints came, as Envoy does.
func TestClustersAreAcknowledgedWarm(t *testing.T) {
	s := startServed(t, ServerWeir, 4)
	clients, err := openFleet(t.Context(), s.hello.Address, insecure.NewCredentials(), newDirectory(), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer clients.close()
	if err := within(t.Context(), 20*time.Second, func(ctx context.Context) error { return clients.await(ctx, s.hello.Resources) }); err != nil {
		t.Fatal(err)
	}
	result := s.obey(t, order{What: changeCluster, Step: 1, Count: 2, Clients: 2, Limit: 10 * time.Second, Budget: time.Minute})
	if len(result.Took) != 2 {
		t.Fatalf("cluster changes: %+v", result)
	}
}

func TestArrivalsCountLaterRevisions(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	var first, second, third traced
	if err := json.Unmarshal([]byte(`{"revision": 1, "nodes": [{"node": "a", "converged": "1970-01-01T00:00:00.030Z"}]}`), &first); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{"revision": 2, "nodes": [{"node": "a", "converged": "1970-01-01T00:00:00.050Z"},
		{"node": "b", "converged": "1970-01-01T00:00:00.060Z"}]}`), &second); err != nil {
		t.Fatal(err)
	}
	third.Revision = 3
	first.Accepted, second.Accepted, third.Accepted = at(10), at(40), at(70)
	took, late := arrivals(map[uint64]traced{1: first, 2: second, 3: third}, 2)
	if late != 1 || len(took) != 2 || took[0] != 20*time.Millisecond || took[1] != 50*time.Millisecond {
		t.Fatalf("arrivals = %v, %d late", took, late)
	}
}
