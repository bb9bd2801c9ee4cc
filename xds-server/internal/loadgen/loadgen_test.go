package loadgen_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/loadgen"
)

func TestRunCountsEveryAnswer(t *testing.T) {
	for name, answer := range map[string][]byte{
		"length":  loadgen.Answer(`{"ok":true}`),
		"chunked": loadgen.Events(`{"x":1}`, 5),
		"refused": []byte("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n"),
		"closing": []byte("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			u, err := loadgen.Serve(answer)
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			r, err := loadgen.Run(context.Background(), loadgen.Options{Address: u.Address(), Conns: 4, Total: 203,
				Bodies: [][]byte{loadgen.Request("/v1/embeddings", []byte(`{}`)), loadgen.Request("/", nil, "x-a: b")}})
			if err != nil {
				t.Fatal(err)
			}
			want := 200
			if name == "refused" {
				want = 429
			}
			if !r.Only(want) || r.Answered() != 203 {
				t.Fatalf("want 203 answers of %d, got %s", want, r)
			}
			if r.Quantile(.5) <= 0 || r.Quantile(1) < r.Quantile(.5) {
				t.Fatalf("quantiles are not ordered: %s", r)
			}
		})
	}
}

// Every request is made once.
func TestRunMakesRequests(t *testing.T) {
	u, err := loadgen.Serve(loadgen.Answer(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	var made [100]atomic.Int64
	r, err := loadgen.Run(t.Context(), loadgen.Options{Address: u.Address(), Conns: 4, Total: int64(len(made)), Make: func(n int64, buf []byte) []byte {
		made[n].Add(1)
		return append(buf, loadgen.Request("/", []byte(`{}`), fmt.Sprintf("x-number: %d", n))...)
	}})
	if err != nil || !r.Only(200) || r.Answered() != int64(len(made)) {
		t.Fatalf("%s, %v", r, err)
	}
	for n := range made {
		if times := made[n].Load(); times != 1 {
			t.Errorf("request %d was made %d times", n, times)
		}
	}
}

func TestRunCountsBrokenConnections(t *testing.T) {
	u, err := loadgen.Serve([]byte("not http\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	r, err := loadgen.Run(context.Background(), loadgen.Options{Address: u.Address(), Conns: 2, Total: 10,
		Bodies: [][]byte{loadgen.Request("/", nil)}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Broken != 10 || r.Only(200) {
		t.Fatalf("want 10 broken connections, got %s", r)
	}
}

func TestRunRefusesOtherMachines(t *testing.T) {
	_, err := loadgen.Run(context.Background(), loadgen.Options{Address: "192.0.2.1:80", Conns: 1, Total: 1, Bodies: [][]byte{nil}})
	if err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Fatalf("want a refusal that names loopback, got %v", err)
	}
}
