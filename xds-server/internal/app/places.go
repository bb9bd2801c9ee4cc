package app

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/etcd"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

// Place is where resources come from: a folder, or an etcd.
type Place struct {
	Folder string
	Etcd   *etcd.Options // nil: the folder
}

// etcdFlags are the flags that say more of the etcd that --etcd named before.
var etcdFlags = []struct {
	name, usage string
	field       func(*etcd.Options) *string
}{
	{"etcd-prefix", "`prefix` of the keys of the etcd before it (default " + etcd.DefaultPrefix + ")", func(o *etcd.Options) *string { return &o.Prefix }},
	{"etcd-ca", "`file` of the certificates that the etcd before it is checked against, in PEM", func(o *etcd.Options) *string { return &o.CAFile }},
	{"etcd-cert", "`file` of the client certificate for the etcd before it, in PEM", func(o *etcd.Options) *string { return &o.CertFile }},
	{"etcd-key", "`file` of that certificate's key, in PEM", func(o *etcd.Options) *string { return &o.KeyFile }},
	{"etcd-server-name", "`name` that the certificates of the etcd before it must have", func(o *etcd.Options) *string { return &o.ServerName }},
	{"etcd-user", "`user` at the etcd before it", func(o *etcd.Options) *string { return &o.User }},
	{"etcd-password-file", "`file` of that user's password", func(o *etcd.Options) *string { return &o.PasswordFile }},
}

// placeFlags defines the flags that name places, in the order in which a later
// one overrides an earlier.
func placeFlags(flags *flag.FlagSet, places *[]Place) {
	flags.Func("resources", "`folder` of resources (*.yaml); it is watched. Folders and etcds may be several: what a later one defines anew counts", func(dir string) error {
		if dir == "" {
			return errors.New("name a folder")
		}
		*places = append(*places, Place{Folder: dir})
		return nil
	})
	flags.Func("etcd", "`endpoints` (host:port,...) of an etcd with resources; it is watched", func(endpoints string) error {
		*places = append(*places, Place{Etcd: &etcd.Options{Endpoints: strings.Split(endpoints, ",")}})
		return nil
	})
	for _, f := range etcdFlags {
		flags.Func(f.name, f.usage, func(value string) error {
			if len(*places) == 0 || (*places)[len(*places)-1].Etcd == nil {
				return errors.New("it says more of an etcd: write it after --etcd")
			}
			*f.field((*places)[len(*places)-1].Etcd) = value
			return nil
		})
	}
}

// sources are the places that resources and certificates come from, the ones that
// override last. The error says which flag is wrong.
func (o Options) sources() ([]source.Source, error) {
	if len(o.Places) == 0 {
		return nil, errors.New("no resources: name their folder with --resources DIR, or an etcd with --etcd ENDPOINTS")
	}
	var all []source.Source
	for _, p := range o.Places {
		if p.Etcd == nil {
			all = append(all, file.NewFolder(p.Folder))
			continue
		}
		s, err := etcd.New(*p.Etcd)
		if err != nil {
			return nil, fmt.Errorf("--etcd: %w", err)
		}
		all = append(all, s)
	}
	if o.Certificates != "" {
		all = append(all, file.NewCertificates(o.Certificates))
	}
	return all, nil
}
