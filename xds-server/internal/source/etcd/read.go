package etcd

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/xds-server/internal/source"
)

// Read reads all keys once, at one revision.
func (s *Source) Read(ctx context.Context) (source.Reading, error) {
	client, err := s.connect()
	if err != nil {
		return source.Reading{}, s.explain(err)
	}
	defer client.Close()
	if err := s.reach(ctx, client); err != nil {
		return source.Reading{}, err
	}
	all, err := s.list(ctx, client)
	if err != nil {
		return source.Reading{}, err
	}
	return all.reading(), nil
}

// reach asks for a sign of life without waiting for a connection to come about,
// as other requests of the client do: they time out, and the reason is lost.
func (s *Source) reach(ctx context.Context, client *clientv3.Client) error {
	limited, cancel := context.WithTimeout(ctx, s.timing.request)
	defer cancel()
	_, err := etcdserverpb.NewMaintenanceClient(client.ActiveConnection()).Status(limited, &etcdserverpb.StatusRequest{})
	if code := status.Code(err); code == codes.Unavailable || code == codes.DeadlineExceeded {
		return s.explain(errors.New(status.Convert(err).Message()))
	}
	return nil // what else is wrong is said where it matters
}

func (k keys) reading() source.Reading {
	return source.Reading{Set: source.Set{Documents: k.sorted}}
}

// list reads all keys, page by page, as they were at the revision of the first page.
func (s *Source) list(ctx context.Context, client *clientv3.Client) (keys, error) {
	all := keys{prefix: s.options.Prefix}
	end := clientv3.GetPrefixRangeEnd(all.prefix)
	for from := all.prefix; ; {
		options := []clientv3.OpOption{clientv3.WithRange(end), clientv3.WithLimit(pageKeys), clientv3.WithRev(all.revision)}
		page, err := s.get(ctx, client, from, options)
		if err != nil {
			return keys{}, err
		}
		if all.revision == 0 {
			all.revision = page.Header.GetRevision()
		}
		all.add(page.Kvs)
		if err := all.bound(); err != nil {
			return keys{}, err
		}
		if !page.More {
			all.sort()
			return all, nil
		}
		from = string(page.Kvs[len(page.Kvs)-1].GetKey()) + "\x00"
	}
}

func (s *Source) get(ctx context.Context, client *clientv3.Client, from string, options []clientv3.OpOption) (*clientv3.GetResponse, error) {
	limited, cancel := context.WithTimeout(ctx, s.timing.request)
	defer cancel()
	page, err := client.Get(limited, from, options...)
	if err != nil {
		return nil, s.explain(fmt.Errorf("read the keys that begin with %s: %w", s.options.Prefix, err))
	}
	return page, nil
}
