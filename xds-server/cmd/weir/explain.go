package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/xds-server/internal/catalog"
	"github.com/weirmesh/weir/xds-server/internal/dryrun"
	"github.com/weirmesh/weir/xds-server/internal/routetree"
)

// explainFlags are the flags of `weir explain`.
type explainFlags struct {
	request, module, gateway, peer, output string
}

// runExplain is `weir explain`.
func runExplain(ctx context.Context, i *invocation) error {
	var f explainFlags
	from := i.sources()
	i.flags.StringVar(&f.request, "request", "", "`file` with an HTTP/1.1 request; - is the standard input")
	i.flags.StringVar(&f.module, "filter-module", "", "`path` of filter.wasm (default: beside this program)")
	i.flags.StringVar(&f.gateway, "gateway", "", "`name` of the Gateway where the request arrives, if there are several")
	i.flags.StringVar(&f.peer, "peer", "", "`SPIFFE ID` that the client proves (default: none)")
	i.flags.StringVar(&f.output, "output", "text", "`form` of the answer: text or json")
	sources, err := i.parseSources(from)
	if err != nil {
		return err
	}
	sample, err := f.sample(i)
	if err != nil {
		return err
	}
	module, err := i.module(f.module)
	if err != nil {
		return err
	}
	built, problems := catalog.Load(ctx, sources...)
	if problems != nil {
		_, _ = fmt.Fprint(i.stderr, (&dryrun.Report{Problems: problems}).Format())
		return errSilent
	}
	explanation, err := dryrun.Explain(ctx, built, module, sample)
	if err != nil {
		return fmt.Errorf("explain the request: %w", err)
	}
	return f.write(i.stdout, explanation)
}

// sample is what the flags say about the request.
func (f *explainFlags) sample(i *invocation) (dryrun.Sample, error) {
	sample := dryrun.Sample{Gateway: f.gateway}
	if f.output != "text" && f.output != "json" {
		return sample, usagef("%s: --output is text or json", i.flags.Name())
	}
	if f.request == "" {
		return sample, usagef("%s: name a file with a request by --request FILE", i.flags.Name())
	}
	if f.peer != "" {
		id, err := spiffeid.FromString(f.peer)
		if err != nil {
			return sample, usagef("%s: --peer %s: %w", i.flags.Name(), f.peer, err)
		}
		sample.Peer = id
	}
	data, err := f.read(i.stdin)
	if err != nil {
		return sample, fmt.Errorf("read the request: %w", err)
	}
	if sample.Request, err = dryrun.ParseRequest(data); err != nil {
		return sample, fmt.Errorf("read the request %s: %w", f.request, err)
	}
	return sample, nil
}

// maxRequest bounds a sample request, in bytes.
const maxRequest = 64 << 20

func (f *explainFlags) read(stdin io.Reader) ([]byte, error) {
	if f.request == "-" {
		return io.ReadAll(io.LimitReader(stdin, maxRequest))
	}
	return os.ReadFile(f.request)
}

func (f *explainFlags) write(w io.Writer, e *dryrun.Explanation) error {
	if f.output == "text" {
		_, err := io.WriteString(w, e.Format())
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(newExplanationView(e))
}

// explanationView is the JSON form of an explanation.
type explanationView struct {
	Gateway      string           `json:"gateway"`
	Decision     dryrun.Record    `json:"decision"`
	RandomBucket bool             `json:"randomBucket"`    // the request names no user: each one has another bucket
	Steps        []routetree.Step `json:"tree,omitempty"`  // the way through the policy's tree
	Slots        *slotsView       `json:"slots,omitempty"` // what the slots of the hash get that decided last
	Redaction    string           `json:"redactionPolicy,omitempty"`
	Destination  *destinationView `json:"destination,omitempty"`
	Upstream     *messageView     `json:"upstream,omitempty"`
	Reply        *messageView     `json:"reply,omitempty"`
}

// slotsView is a choice by hash.
type slotsView struct {
	Of   string    `json:"of"` // what is hashed
	Runs []runView `json:"runs"`
}

type runView struct {
	From    int    `json:"from"`
	To      int    `json:"to"`
	Version string `json:"version"`
}

type destinationView struct {
	Route     string   `json:"route"`
	Cluster   string   `json:"cluster"`
	Version   string   `json:"version"`
	Endpoints []string `json:"endpoints"`
	SPIFFEID  string   `json:"spiffeID,omitempty"`
}

// messageView is what goes upstream, or comes back.
type messageView struct {
	Status  int         `json:"status,omitempty"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"`
	// Changed: the body is not the one that the client sent.
	Changed bool `json:"changed,omitempty"`
}

func newExplanationView(e *dryrun.Explanation) explanationView {
	v := explanationView{Gateway: e.Gateway, Decision: e.Record, RandomBucket: e.RandomBucket, Redaction: e.Redaction, Steps: e.Steps}
	if e.Slots != nil {
		v.Slots = &slotsView{Of: e.Slots.Of}
		for _, r := range e.Slots.Runs {
			v.Slots.Runs = append(v.Slots.Runs, runView(r))
		}
	}
	if e.Destination != nil {
		v.Destination = &destinationView{Route: e.Destination.Route, Cluster: e.Destination.Cluster, Version: e.Destination.Version}
	}
	if e.Destination != nil && e.Version != nil {
		for _, endpoint := range e.Version.Endpoints {
			v.Destination.Endpoints = append(v.Destination.Endpoints, endpoint.String())
		}
		if !e.Version.Peer.IsZero() {
			v.Destination.SPIFFEID = e.Version.Peer.String()
		}
	}
	if e.Reply != nil {
		v.Reply = &messageView{Status: e.Reply.Status, Headers: [][2]string{}, Body: string(e.Reply.Body)}
		for _, h := range e.Reply.Headers {
			v.Reply.Headers = append(v.Reply.Headers, [2]string{h.Name, h.Value})
		}
		return v
	}
	v.Upstream = &messageView{Headers: [][2]string{}, Body: string(e.Body), Changed: !bytes.Equal(e.Body, e.Request.Body)}
	for _, h := range e.Headers {
		v.Upstream.Headers = append(v.Upstream.Headers, [2]string{h.Name, h.Value})
	}
	return v
}
