package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "github.com/weirmesh/weir/xds-server/api/admin/v1"
	"github.com/weirmesh/weir/xds-server/internal/admin/view"
)

// getFlags say what `weir get` shows, and how.
type getFlags struct {
	operatorFlags
	output             string
	watch              bool
	interval           time.Duration
	identity, node     string
	resourceType, name string
	body               bool
	subject            string
	from, to           uint64
}

// subjects are what can be got, by name.
var subjects = map[string]func(context.Context, adminv1.AdminClient, *getFlags) (proto.Message, error){
	"nodes": func(ctx context.Context, c adminv1.AdminClient, f *getFlags) (proto.Message, error) {
		return c.ListNodes(ctx, &adminv1.ListNodesRequest{Identity: f.identity, Node: f.node})
	},
	"resources": listResources,
	"snapshots": func(ctx context.Context, c adminv1.AdminClient, _ *getFlags) (proto.Message, error) {
		return c.ListSnapshots(ctx, &adminv1.ListSnapshotsRequest{})
	},
	"diff": func(ctx context.Context, c adminv1.AdminClient, f *getFlags) (proto.Message, error) {
		return c.Diff(ctx, &adminv1.DiffRequest{From: f.from, To: f.to, Identity: f.identity})
	},
	"status": func(ctx context.Context, c adminv1.AdminClient, _ *getFlags) (proto.Message, error) {
		return c.GetStatus(ctx, &adminv1.GetStatusRequest{})
	},
}

const getUsage = `weir get nodes|resources|snapshots|diff [FROM [TO]]|status`

// runGet is `weir get`: it asks the xds-server and shows the answer.
func runGet(ctx context.Context, i *invocation) error {
	f := &getFlags{}
	f.register(i.flags)
	i.flags.StringVar(&f.output, "o", "table", "`form` of the output: table or json")
	i.flags.BoolVar(&f.watch, "watch", false, "go on, and show nodes or status again whenever they change")
	i.flags.DurationVar(&f.interval, "interval", time.Second, "shortest `time` between two answers of --watch")
	i.flags.StringVar(&f.identity, "identity", "", "SPIFFE `ID`: nodes, resources and differences of this one only")
	i.flags.StringVar(&f.node, "node", "", "node `id` of an Envoy: itself, or the resources of its identity")
	i.flags.StringVar(&f.resourceType, "type", "", "`type` of resources: cluster, endpoint, secret, extension, route, scope or listener")
	i.flags.StringVar(&f.name, "name", "", "`name` of a resource")
	i.flags.BoolVar(&f.body, "body", false, "with the resources themselves, as JSON and without secrets")
	words, err := i.words()
	if err != nil {
		return err
	}
	if err := f.check(words); err != nil {
		return err
	}
	client, release, err := f.connect(ctx, i)
	if err != nil {
		return err
	}
	defer release()
	if f.watch {
		return f.explain(ctx, f.follow(ctx, client, i.stdout))
	}
	call, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	answer, err := subjects[f.subject](call, client, f)
	if err != nil {
		return f.explain(ctx, err)
	}
	return f.print(i.stdout, answer, time.Now())
}

func (f *getFlags) check(words []string) error {
	if len(words) == 0 {
		return usagef("weir get: say what: %s", getUsage)
	}
	f.subject, words = words[0], words[1:]
	numbers := []*uint64{&f.from, &f.to}
	switch {
	case subjects[f.subject] == nil:
		return usagef("weir get: there is no %q to get: %s", f.subject, getUsage)
	case f.output != "table" && f.output != "json":
		return usagef("weir get: -o %q: write table or json", f.output)
	case f.watch && f.subject != "nodes" && f.subject != "status":
		return usagef("weir get %s: --watch is for nodes and status", f.subject)
	case f.interval <= 0:
		return usagef("weir get: --interval must be above zero")
	case len(words) > len(numbers) || (len(words) > 0 && f.subject != "diff"):
		return usagef("weir get %s: %q is one word too many: %s", f.subject, words[len(words)-1], getUsage)
	}
	for n, word := range words {
		number, err := parseRevision(word)
		if err != nil {
			return err
		}
		*numbers[n] = number
	}
	return nil
}

func parseRevision(word string) (uint64, error) {
	number, err := strconv.ParseUint(word, 10, 64)
	if err != nil || number == 0 {
		return 0, usagef("%q is no revision: weir get snapshots lists their numbers", word)
	}
	return number, nil
}

// listResources gathers all pages into one answer.
func listResources(ctx context.Context, c adminv1.AdminClient, f *getFlags) (proto.Message, error) {
	all := &adminv1.ListResourcesResponse{}
	req := &adminv1.ListResourcesRequest{Identity: f.identity, Node: f.node, Type: f.resourceType, Name: f.name, Body: f.body}
	for {
		page, err := c.ListResources(ctx, req)
		if err != nil {
			return nil, err
		}
		all.Resources = append(all.Resources, page.GetResources()...)
		if req.PageToken = page.GetNextPageToken(); req.GetPageToken() == "" {
			return all, nil
		}
	}
}

// follow shows nodes or status whenever they change, until the user or the
// server ends it.
func (f *getFlags) follow(ctx context.Context, client adminv1.AdminClient, out io.Writer) error {
	stream, err := client.Watch(ctx, &adminv1.WatchRequest{Interval: durationpb.New(f.interval)})
	if err != nil {
		return err
	}
	for {
		now, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var answer proto.Message = now
		if f.subject == "nodes" {
			answer = f.nodesOf(now)
		}
		if f.output == "table" {
			if _, err := fmt.Fprintf(out, "--- %s\n", time.Now().Format(time.TimeOnly)); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		if err := f.print(out, answer, time.Now()); err != nil {
			return err
		}
	}
}

func (f *getFlags) nodesOf(s *adminv1.Status) *adminv1.ListNodesResponse {
	nodes := &adminv1.ListNodesResponse{}
	for _, n := range s.GetNodes() {
		if (f.identity == "" || n.GetIdentity() == f.identity) && (f.node == "" || n.GetNode() == f.node) {
			nodes.Nodes = append(nodes.Nodes, n)
		}
	}
	return nodes
}

func (f *getFlags) print(out io.Writer, answer proto.Message, now time.Time) error {
	text, err := f.render(answer, now)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(out, text); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

func (f *getFlags) render(answer proto.Message, now time.Time) (string, error) {
	if f.output == "json" {
		write := view.JSON
		if f.watch {
			write = view.Line
		}
		text, err := write(answer)
		return string(text), err
	}
	switch m := answer.(type) {
	case *adminv1.ListNodesResponse:
		return view.Nodes(m.GetNodes(), now), nil
	case *adminv1.ListResourcesResponse:
		return resourcesText(m, f.body)
	case *adminv1.ListSnapshotsResponse:
		return view.Snapshots(m, now), nil
	case *adminv1.DiffResponse:
		return view.Diff(m), nil
	case *adminv1.Status:
		return view.Status(m, now), nil
	default:
		return "", fmt.Errorf("%T cannot be shown as a table: use -o json", answer)
	}
}

// resourcesText is the table and, if asked for, each body below its name.
func resourcesText(m *adminv1.ListResourcesResponse, body bool) (string, error) {
	var out strings.Builder
	out.WriteString(view.Resources(m.GetResources()))
	if !body {
		return out.String(), nil
	}
	for _, r := range m.GetResources() {
		text, err := view.JSON(r.GetBody())
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "\n%s %s\n%s", r.GetIdentity(), r.GetName(), text)
	}
	return out.String(), nil
}
