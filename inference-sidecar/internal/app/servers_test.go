package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/weirmesh/weir/inference-sidecar/internal/registry"
)

// local serves h and returns its URL.
func local(t *testing.T, h http.Handler) (*servers, string) {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServers(listeners{http: l}, nil, h, http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	stopped := s.start()
	t.Cleanup(func() {
		select {
		case err := <-stopped:
			t.Error(err)
		default:
		}
	})
	return s, "http://" + l.Addr().String()
}

func TestStopLetsRequestsEnd(t *testing.T) {
	entered, goOn := make(chan struct{}), make(chan struct{})
	s, url := local(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-goOn
		_, _ = io.WriteString(w, "done")
	}))
	answer := make(chan string)
	go func() {
		res, err := http.Get(url)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		answer <- string(b) + errorText(err)
	}()
	<-entered
	var models registry.Current
	models.Set(&registry.Registry{})
	stopped, draining := make(chan error), make(chan struct{})
	s.api.RegisterOnShutdown(func() { close(draining) })
	go func() { stopped <- s.stop(&models, time.Minute) }()
	<-draining
	if models.Ready() {
		t.Error("the server says that it is ready while it drains")
	}
	close(goOn)
	if got := <-answer; got != "done" {
		t.Errorf("the request that ran got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if res, err := http.Get(url); err == nil {
		res.Body.Close()
		t.Error("a new request is served")
	}
}

func errorText(err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestStopCutsWhatDoesNotEnd(t *testing.T) {
	entered, cut := make(chan struct{}), make(chan error, 1)
	s, url := local(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		cut <- r.Context().Err()
	}))
	go func() {
		if res, err := http.Get(url); err == nil {
			res.Body.Close()
		}
	}()
	<-entered
	if err := s.stop(&registry.Current{}, time.Millisecond); err != nil {
		t.Error(err)
	}
	if err := <-cut; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestClosersRunLastFirst(t *testing.T) {
	var order string
	add := func(s string) func() error { return func() error { order += s; return errors.New(s) } }
	var c closers
	c.add(add("engine "))
	c.add(add("models "))
	c.add(add("servers "))
	if err := c.all(); order != "servers models engine " || err.Error() != "servers \nmodels \nengine " {
		t.Errorf("order %q, error %q", order, err)
	}
}
