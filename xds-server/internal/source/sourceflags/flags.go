// Package sourceflags has the flags that name sources of resources, for every
// program that reads them. Their order is the precedence: what a later one
// defines is in force.
package sourceflags

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/weirmesh/weir/xds-server/internal/source"
	"github.com/weirmesh/weir/xds-server/internal/source/etcd"
	"github.com/weirmesh/weir/xds-server/internal/source/file"
)

// Folder is the name of the flag for a folder of resources in the xds-server.
const Folder = "resources"

// Flags are the sources that the flags name, in their order.
type Flags struct {
	folderFlag string
	folders    []string // of resources
	args       []string
	named      []func() (source.Source, error)
	last       *etcd.Options // of the --etcd named last
}

// Register adds the flags to a set: one for folders of resources, under the name
// folderFlag, --certificates and --etcd, each as often as wanted, and the
// --etcd-... ones, which belong to the --etcd before them.
func Register(set *flag.FlagSet, folderFlag string) *Flags {
	f := &Flags{folderFlag: folderFlag}
	add := func(name, usage string, take func(string) error) {
		inServer := "--" + name
		if name == folderFlag {
			inServer = "--" + Folder
		}
		set.Func(name, usage, func(value string) error {
			f.args = append(f.args, inServer, value)
			return take(value)
		})
	}
	add(folderFlag, "`folder` of resources (*.yaml). This and --etcd may be given several times: what a later one defines is in force", f.folder)
	add("certificates", "`folder` with the certificate chains and keys that listeners show, in PEM", f.certificates)
	add("etcd", "`endpoints` of an etcd, host:port,host:port, whose keys are resources", f.etcd)
	for _, option := range []struct {
		name, usage string
		field       func(*etcd.Options) *string
	}{
		{"etcd-prefix", "what the keys of the --etcd before it begin with: `prefix` (default " + etcd.DefaultPrefix + ")", func(o *etcd.Options) *string { return &o.Prefix }},
		{"etcd-ca", "PEM `file` with the certificates to check the etcd's with (default: those of the machine)", func(o *etcd.Options) *string { return &o.CAFile }},
		{"etcd-cert", "PEM `file` with the client certificate for the etcd", func(o *etcd.Options) *string { return &o.CertFile }},
		{"etcd-key", "PEM `file` with the key of --etcd-cert", func(o *etcd.Options) *string { return &o.KeyFile }},
		{"etcd-server-name", "`name` that the etcd's certificate must have (default: the endpoint's host)", func(o *etcd.Options) *string { return &o.ServerName }},
		{"etcd-user", "`user` of the etcd", func(o *etcd.Options) *string { return &o.User }},
		{"etcd-password-file", "`file` with the password of --etcd-user", func(o *etcd.Options) *string { return &o.PasswordFile }},
	} {
		add(option.name, option.usage, func(value string) error { return f.ofEtcd(option.field, value) })
	}
	return f
}

// Sources makes the sources. It fails if there is none of resources, or if the
// options of an etcd do not fit together; it does not look whether they are there.
func (f *Flags) Sources() ([]source.Source, error) {
	var sources []source.Source
	documents := false
	for _, named := range f.named {
		s, err := named()
		if err != nil {
			return nil, err
		}
		documents = documents || s.Label() != ""
		sources = append(sources, s)
	}
	if !documents {
		return nil, fmt.Errorf("no resources: name their folder with %s DIR, or an etcd with --etcd ENDPOINTS", f.written())
	}
	return sources, nil
}

// written is the flag for folders, as people write it.
func (f *Flags) written() string {
	if len(f.folderFlag) == 1 {
		return "-" + f.folderFlag
	}
	return "--" + f.folderFlag
}

// Folders are the folders of resources, in their order.
func (f *Flags) Folders() []string { return f.folders }

// Args are the flags that name the same sources to the xds-server.
func (f *Flags) Args() []string { return f.args }

func (f *Flags) folder(path string) error {
	if path == "" {
		return errors.New("name a folder")
	}
	f.folders = append(f.folders, path)
	f.named = append(f.named, func() (source.Source, error) { return file.NewFolder(path), nil })
	return nil
}

func (f *Flags) certificates(path string) error {
	if path == "" {
		return errors.New("name a folder")
	}
	f.named = append(f.named, func() (source.Source, error) { return file.NewCertificates(path), nil })
	return nil
}

func (f *Flags) etcd(endpoints string) error {
	o := &etcd.Options{}
	for endpoint := range strings.SplitSeq(endpoints, ",") {
		o.Endpoints = append(o.Endpoints, strings.TrimSpace(endpoint))
	}
	f.last = o
	f.named = append(f.named, func() (source.Source, error) { return etcd.New(*o) })
	return nil
}

func (f *Flags) ofEtcd(field func(*etcd.Options) *string, value string) error {
	switch {
	case value == "":
		return errors.New("it is empty: give it a value, or leave it out")
	case f.last == nil:
		return errors.New("it belongs to the --etcd before it, and there is none: write --etcd ENDPOINTS first")
	case *field(f.last) != "":
		return fmt.Errorf("it is given twice for one --etcd, first as %s: leave one of the two out", *field(f.last))
	}
	*field(f.last) = value
	return nil
}
