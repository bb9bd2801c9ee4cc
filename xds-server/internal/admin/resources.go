package admin

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	adminv1 "github.com/weirmesh/weir/xds-server/api/admin/v1"
	"github.com/weirmesh/weir/xds-server/internal/snapshot"
)

// Bounds of a page of resources. The last holds it well below the 4 MiB that
// gRPC clients take by default.
const (
	maxPage      = 1000
	maxBodies    = 100
	maxPageBytes = 1 << 20
)

// shortNames are what people may call a type, besides its URL and its message.
var shortNames = map[string]string{
	"cluster": snapshot.ClusterType, "clusters": snapshot.ClusterType, "cds": snapshot.ClusterType,
	"endpoint": snapshot.EndpointType, "endpoints": snapshot.EndpointType, "eds": snapshot.EndpointType,
	"secret": snapshot.SecretType, "secrets": snapshot.SecretType, "sds": snapshot.SecretType,
	"extension": snapshot.ExtensionType, "extensions": snapshot.ExtensionType, "filter": snapshot.ExtensionType, "ecds": snapshot.ExtensionType,
	"route": snapshot.RouteType, "routes": snapshot.RouteType, "rds": snapshot.RouteType,
	"scope": snapshot.ScopedRouteType, "scopes": snapshot.ScopedRouteType, "srds": snapshot.ScopedRouteType,
	"listener": snapshot.ListenerType, "listeners": snapshot.ListenerType, "lds": snapshot.ListenerType,
}

// typesNamed returns the types that a request asks for, in the order of the protocol.
func typesNamed(name string) ([]string, error) {
	all := snapshot.Types()
	if name == "" {
		return all, nil
	}
	if url, ok := shortNames[strings.ToLower(name)]; ok {
		return []string{url}, nil
	}
	for _, url := range all {
		if url == name || url[strings.LastIndexByte(url, '.')+1:] == name {
			return []string{url}, nil
		}
	}
	return nil, status.Errorf(codes.InvalidArgument, "type %q: write cluster, endpoint, secret, extension, route, scope or listener, or a type URL", name)
}

// resourceQuery is what a ListResourcesRequest asks for.
type resourceQuery struct {
	identity spiffeid.ID // zero: all
	types    []string
	name     string // empty: all
	body     bool
	limit    int
	after    cursor
}

// cursor is a place in the order of all resources; zero: before the first.
type cursor struct{ identity, typeURL, name string }

func (c cursor) token() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join([]string{c.identity, c.typeURL, c.name}, "\x00")))
}

func parseCursor(token string) (cursor, error) {
	if token == "" {
		return cursor{}, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	parts := strings.Split(string(text), "\x00")
	if err != nil || len(parts) != 3 || !slices.Contains(snapshot.Types(), parts[1]) {
		return cursor{}, status.Error(codes.InvalidArgument, "page_token: hand back the next_page_token of the page before, or none for the first page")
	}
	return cursor{identity: parts[0], typeURL: parts[1], name: parts[2]}, nil
}

func (s *service) resourceQuery(req *adminv1.ListResourcesRequest) (q resourceQuery, err error) {
	if q.identity, err = identityFilter(req.GetIdentity()); err != nil {
		return q, err
	}
	if q.types, err = typesNamed(req.GetType()); err != nil {
		return q, err
	}
	if q.after, err = parseCursor(req.GetPageToken()); err != nil {
		return q, err
	}
	q.name, q.body, q.limit = req.GetName(), req.GetBody(), maxPage
	if q.body {
		q.limit = maxBodies
	}
	if size := req.GetPageSize(); size != 0 {
		q.limit = int(min(size, maxPage))
	}
	return q, nil
}

// ListResources implements adminv1.AdminServer.
func (s *service) ListResources(ctx context.Context, req *adminv1.ListResourcesRequest) (*adminv1.ListResourcesResponse, error) {
	q, err := s.resourceQuery(req)
	if err != nil {
		return nil, err
	}
	parked := parkedResources(s.backend.Status())
	identities := []spiffeid.ID{q.identity}
	if req.GetNode() != "" {
		if identities = parked.identities[req.GetNode()]; len(identities) == 0 {
			return nil, status.Errorf(codes.NotFound, "no Envoy with the node id %q is connected", req.GetNode())
		}
		identities = slices.DeleteFunc(slices.Clone(identities), func(id spiffeid.ID) bool { return !q.identity.IsZero() && id != q.identity })
	}
	snapshots, err := s.backend.Snapshots(ctx, 0)
	if err != nil {
		return nil, failure(err)
	}
	page := page{query: q, parked: parked}
	for _, id := range sortedIdentities(snapshots) {
		if slices.Contains(identities, id) || slices.Contains(identities, spiffeid.ID{}) {
			if err := page.add(ctx, id, snapshots[id]); err != nil {
				return nil, err
			}
		}
	}
	return &page.resp, nil
}

func sortedIdentities(snapshots map[spiffeid.ID]*snapshot.Snapshot) []spiffeid.ID {
	ids := make([]spiffeid.ID, 0, len(snapshots))
	for id := range snapshots {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b spiffeid.ID) int { return strings.Compare(a.String(), b.String()) })
	return ids
}

// page gathers resources until it is full.
type page struct {
	query  resourceQuery
	parked parkedIndex
	resp   adminv1.ListResourcesResponse
	last   cursor // of the last resource in resp
	bytes  int    // of resp
	full   bool
}

func (p *page) add(ctx context.Context, id spiffeid.ID, snap *snapshot.Snapshot) error {
	identity, after := id.String(), p.query.after
	if p.full || identity < after.identity {
		return nil
	}
	for _, url := range p.query.types {
		skip := ""
		if identity == after.identity {
			switch place := slices.Index(snapshot.Types(), url) - slices.Index(snapshot.Types(), after.typeURL); {
			case place < 0:
				continue
			case place == 0:
				skip = after.name
			}
		}
		for _, name := range p.names(snap, url, skip) {
			if p.full = len(p.resp.GetResources()) >= p.query.limit || p.bytes >= maxPageBytes; p.full {
				p.resp.NextPageToken = p.last.token()
				return nil
			}
			if err := ctx.Err(); err != nil {
				return status.FromContextError(err).Err()
			}
			if err := p.append(id, url, snap.Get(url, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// names are those of a type that the page may show, behind the one to skip to.
func (p *page) names(snap *snapshot.Snapshot, url, skip string) []string {
	if p.query.name != "" {
		if snap.Get(url, p.query.name) == nil || p.query.name <= skip {
			return nil
		}
		return []string{p.query.name}
	}
	names := snap.Names(url)
	at, found := slices.BinarySearch(names, skip)
	if found {
		at++
	}
	return names[at:]
}

func (p *page) append(id spiffeid.ID, url string, r *snapshot.Resource) error {
	message := &adminv1.Resource{
		Identity: id.String(), Type: url, Name: r.Name, Version: r.Version, Origin: valid(r.Origin),
		ParkedAt: p.parked.resources[parkedKey{id, url, r.Name, r.Version}],
	}
	if p.query.body {
		body := &structpb.Struct{}
		if err := protojson.Unmarshal(r.Shown(), body); err != nil {
			return status.Errorf(codes.Internal, "show %s %s: %v", url, r.Name, err)
		}
		message.Body = body
		p.bytes += proto.Size(body)
	}
	p.resp.Resources = append(p.resp.Resources, message)
	p.last = cursor{id.String(), url, r.Name}
	return nil
}

// parkedIndex finds who refused a resource, and the identities of nodes.
type parkedIndex struct {
	resources  map[parkedKey][]*adminv1.ParkedAt
	identities map[string][]spiffeid.ID // by node.id
}

type parkedKey struct {
	id                 spiffeid.ID
	url, name, version string
}

func parkedResources(s Status) parkedIndex {
	index := parkedIndex{resources: make(map[parkedKey][]*adminv1.ParkedAt), identities: make(map[string][]spiffeid.ID)}
	for _, n := range ordered(s.Nodes) {
		if !slices.Contains(index.identities[n.Node], n.SPIFFEID) {
			index.identities[n.Node] = append(index.identities[n.Node], n.SPIFFEID)
		}
		for _, t := range n.Types {
			for _, p := range t.Parked {
				key := parkedKey{n.SPIFFEID, t.TypeURL, p.Name, p.Version}
				index.resources[key] = append(index.resources[key], &adminv1.ParkedAt{
					Stream: n.Stream, Node: valid(n.Node), Message: valid(p.Message), Since: timeMessage(p.Since),
				})
			}
		}
	}
	return index
}
