// Package etcd is the source of resources that are the keys under a prefix of an
// etcd: each key's value is what a file would hold. It reads all of them at one
// revision and follows every later one, so that a transaction is seen whole.
package etcd

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// DefaultPrefix is the prefix of the keys where none is named.
const DefaultPrefix = "/weir/"

// Options say where an etcd is and who asks.
type Options struct {
	// Endpoints are the members of one cluster: host:port, http://host:port or
	// https://host:port. All must use TLS, or none.
	Endpoints []string
	// Prefix is what the keys begin with; empty is DefaultPrefix.
	Prefix string
	// CAFile has the certificates, in PEM, that the members' certificates are
	// checked against; empty: those of the machine. Read at each new session.
	CAFile string
	// CertFile and KeyFile have the client's certificate and key, in PEM; both
	// or none. They are read for each connection, so that they may be renewed.
	CertFile, KeyFile string
	// ServerName is the name that the members' certificates must have; empty:
	// the endpoint's host.
	ServerName string
	// User and PasswordFile are for an etcd with authentication; both or none.
	// A line end after the password is not part of it.
	User, PasswordFile string
}

// Source is a source.Source: the keys under a prefix.
type Source struct {
	options Options
	timing  timing
}

// timing says when an etcd that does not answer is taken as lost.
type timing struct {
	request time.Duration // one request, and the connection before it
	probe   time.Duration // how often a watch is asked whether it is up to date
	silence time.Duration // a watch that does not answer for so long is lost
	retry   time.Duration // before a lost one is asked anew
}

// New checks the options. It does not connect.
func New(o Options) (*Source, error) {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	s := &Source{options: o, timing: timing{
		request: 5 * time.Second, probe: time.Second, silence: 3 * time.Second, retry: 500 * time.Millisecond,
	}}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("etcd %s: %w", strings.Join(o.Endpoints, ","), err)
	}
	return s, nil
}

// String names the source.
func (s *Source) String() string {
	return "etcd " + strings.Join(s.options.Endpoints, ",") + " under " + s.options.Prefix
}

// Label tells the keys of one etcd and prefix from those of others.
func (s *Source) Label() string {
	return "etcd:" + strings.Join(s.options.Endpoints, ",") + "/" + strings.Trim(s.options.Prefix, "/")
}

func (o Options) check() error {
	if len(o.Endpoints) == 0 {
		return errors.New("no endpoints: name them as host:port,host:port with --etcd")
	}
	secure := 0
	for _, endpoint := range o.Endpoints {
		host, isSecure, err := parseEndpoint(endpoint)
		if err != nil || host == "" {
			return fmt.Errorf("endpoint %q is not host:port, http://host:port or https://host:port", endpoint)
		}
		if isSecure {
			secure++
		}
	}
	files := o.CAFile != "" || o.CertFile != "" || o.ServerName != ""
	switch {
	case secure != 0 && secure != len(o.Endpoints):
		return errors.New("some endpoints begin with https:// and some do not: make them alike")
	case (o.CertFile == "") != (o.KeyFile == ""):
		return errors.New("a client certificate needs its key: set both --etcd-cert and --etcd-key, or none")
	case (o.User == "") != (o.PasswordFile == ""):
		return errors.New("a user needs a password: set both --etcd-user and --etcd-password-file, or none")
	case files && strings.HasPrefix(o.Endpoints[0], "http://"):
		return errors.New("endpoints that begin with http:// use no TLS: write https://, or leave --etcd-ca, --etcd-cert and --etcd-server-name out")
	default:
		return nil
	}
}

// secure reports whether to use TLS: if an endpoint says so, or if something of
// TLS is named and no endpoint says otherwise.
func (o Options) secure() bool {
	return strings.HasPrefix(o.Endpoints[0], "https://") || o.CAFile != "" || o.CertFile != "" || o.ServerName != ""
}

func parseEndpoint(text string) (host string, secure bool, err error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", false, err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Port() == "" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.User != nil {
		return "", false, errors.New("no endpoint")
	}
	return u.Host, u.Scheme == "https", nil
}

// Bounds on requests. A request to etcd has at most 1.5 MiB where its operator
// did not say otherwise, and so has a value.
const (
	pageKeys        = 64
	maxMessageBytes = 256 << 20
)

// connect makes a client. Only with a user it asks the etcd already.
func (s *Source) connect() (*clientv3.Client, error) {
	o := s.options
	c := clientv3.Config{
		DialTimeout: s.timing.request, DialKeepAliveTime: s.timing.silence, DialKeepAliveTimeout: s.timing.silence,
		MaxCallRecvMsgSize: maxMessageBytes, MaxUnaryRetries: 8, Username: o.User, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithUserAgent("weir")},
	}
	scheme := "http://"
	if o.secure() {
		scheme = "https://"
		var err error
		if c.TLS, err = o.tls(); err != nil {
			return nil, err
		}
	}
	for _, endpoint := range o.Endpoints {
		host, _, _ := parseEndpoint(endpoint) // New has checked it
		c.Endpoints = append(c.Endpoints, scheme+host)
	}
	if o.PasswordFile != "" {
		password, err := os.ReadFile(o.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("password of user %q: %w: name its file with --etcd-password-file", o.User, err)
		}
		c.Password = strings.TrimRight(string(password), "\r\n")
	}
	return clientv3.New(c)
}

func (o Options) tls() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("certificates to check the etcd's with: %w: name their file with --etcd-ca", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("certificates to check the etcd's with: %s has none in PEM: name the right file with --etcd-ca", o.CAFile)
		}
	}
	if o.ServerName != "" {
		// The client puts each endpoint's host in the place of the name.
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(state tls.ConnectionState) error { return verify(state, o.ServerName, c.RootCAs) }
	}
	if o.CertFile == "" {
		return c, nil
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("client certificate for etcd: %w: name a pair with --etcd-cert and --etcd-key", err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil { // now, where the reason is not lost in a failed handshake
		return nil, err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return c, nil
}

// verify checks a server's certificate as crypto/tls does, but for a name of our own.
func verify(state tls.ConnectionState, name string, roots *x509.CertPool) error {
	o := x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: x509.NewCertPool()}
	for _, certificate := range state.PeerCertificates[1:] {
		o.Intermediates.AddCert(certificate)
	}
	_, err := state.PeerCertificates[0].Verify(o)
	return err
}
