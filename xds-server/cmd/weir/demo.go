package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/demo"
	"github.com/weirmesh/weir/xds-server/internal/echo"
	"github.com/weirmesh/weir/xds-server/internal/supervise"
	"github.com/weirmesh/weir/xds-server/internal/up"
)

// runDemo is `weir demo`: weir up, the echo model and the samples. With
// DEMO_ONCE=1 it ends after the samples; it fails when an answer was wrong.
func runDemo(ctx context.Context, i *invocation) (err error) {
	var f upFlags
	if err := f.parse(i); err != nil {
		return err
	}
	color, err := f.colored(i, i.stdout)
	if err != nil {
		return err
	}
	log := &gate{out: supervise.NewConsole(i.stdout, nameWidth, color)}
	options, err := f.options(i, log)
	if err != nil {
		return err
	}
	c, problems := catalog.Load(ctx, f.sources...)
	if problems != nil {
		return errors.New("the resources are not right: `weir check` says why, of the same sources")
	}
	model, err := startEcho(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, model.stop()) }()
	w, err := up.Start(ctx, options)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, w.Stop(i.hurry)) }()
	log.Line(up.Name, []byte(w.Ready()))
	return show(ctx, i, log, demo.Config{Gateway: w.Listeners()[0].URL(), Catalog: c, Out: i.stdout, Color: color})
}

// show sends the samples while the log waits, and then stays, unless it is to
// be done once.
func show(ctx context.Context, i *invocation, log *gate, c demo.Config) error {
	log.hold()
	wrong := interrupted(ctx, demo.Run(ctx, c))
	verdict := "All answers were right."
	switch {
	case ctx.Err() != nil:
		verdict = "Interrupted."
	case wrong != nil:
		verdict = "Some answers were wrong."
	}
	_, _ = fmt.Fprintf(i.stdout, "\n %s\n\n", verdict)
	log.release()
	if once := i.getenv("DEMO_ONCE"); once != "" && once != "0" {
		return wrong
	}
	log.Line(up.Name, []byte("it stays up for your own requests; Ctrl-C stops it"))
	<-ctx.Done()
	return wrong
}

// gate passes log lines on, or holds them back so that they do not stand among
// the samples.
type gate struct {
	out  supervise.Output
	mu   sync.Mutex
	held []line // guarded by mu
	shut bool   // guarded by mu
}

type line struct {
	program string
	text    []byte
}

// maxHeld bounds the lines that are held back; the oldest are dropped.
const maxHeld = 1000

// Line implements supervise.Output.
func (g *gate) Line(program string, text []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shut {
		g.out.Line(program, text)
		return
	}
	g.held = append(g.held, line{program, append([]byte(nil), text...)})
	if len(g.held) > maxHeld {
		g.held = g.held[1:]
	}
}

func (g *gate) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
}

func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.held {
		g.out.Line(l.program, l.text)
	}
	g.held, g.shut = nil, false
}

// echoServer is the running echo model.
type echoServer struct {
	address string
	server  *http.Server
	failed  chan error // the end of Serve
}

// startEcho starts the echo model where the resources expect it.
func startEcho(c *catalog.Catalog) (*echoServer, error) {
	address, err := demo.EchoEndpoint(c)
	if err != nil {
		return nil, err
	}
	e, err := listenEcho(address)
	if err != nil {
		return nil, fmt.Errorf("%w; free the address, or change the endpoint of the model in the resources", err)
	}
	return e, nil
}

func listenEcho(address string) (*echoServer, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("start the echo model: %w", err)
	}
	e := &echoServer{address: l.Addr().String(), server: &http.Server{Handler: echo.Handler(), ReadHeaderTimeout: 10 * time.Second}, failed: make(chan error, 1)}
	go func() { e.failed <- e.server.Serve(l) }()
	return e, nil
}

func (e *echoServer) stop() error {
	err := e.server.Close()
	if end := <-e.failed; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// runEcho is `weir echo`.
func runEcho(ctx context.Context, i *invocation) error {
	address := i.flags.String("listen", "127.0.0.1:8080", "`address` to listen on, plaintext")
	if err := i.parse(); err != nil {
		return err
	}
	e, err := listenEcho(*address)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(i.stdout, "the echo model listens on http://%s\n", e.address)
	select {
	case <-ctx.Done():
		return e.stop()
	case err := <-e.failed:
		return fmt.Errorf("the echo model: %w", err)
	}
}
