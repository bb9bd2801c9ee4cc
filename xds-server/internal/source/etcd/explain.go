package etcd

import (
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// explain adds to an error of the client how to mend it.
func (s *Source) explain(err error) error {
	if err == nil {
		return nil
	}
	o, text := s.options, err.Error()
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(text, part) {
				return true
			}
		}
		return false
	}
	hint := ""
	switch {
	case errors.Is(err, rpctypes.ErrUserEmpty):
		hint = "it serves users only: name one with --etcd-user and --etcd-password-file"
	case errors.Is(err, rpctypes.ErrAuthFailed), has("authentication failed, invalid user ID or password"):
		hint = fmt.Sprintf("user %q or the password in %s is wrong", o.User, o.PasswordFile)
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		hint = fmt.Sprintf("user %q may not read what begins with %q: give it a role with `etcdctl role grant-permission ROLE --prefix=true read %s`", s.who(), o.Prefix, o.Prefix)
	case has("certificate signed by unknown authority", "certificate is not trusted"):
		hint = "name the certificates of who signed the etcd's with --etcd-ca"
	case has("certificate is valid for", "doesn't contain any IP SANs", "not valid for any names"):
		hint = "name what the etcd's certificate says with --etcd-server-name"
	case has("tls: certificate required", "bad certificate", "unknown certificate authority"):
		hint = "it refuses the client's certificate, or misses one: name one that it trusts with --etcd-cert and --etcd-key"
	case has("handshake failed: EOF", "first record does not look like a TLS handshake") && o.secure():
		hint = "it may use no TLS: then write http://, and leave --etcd-ca, --etcd-cert and --etcd-key out"
	case has("error reading server preface", "malformed HTTP", "connection closed before server preface") && !o.secure():
		hint = "is it etcd, and does it use TLS? Then write https:// and name --etcd-ca"
	case has("broken pipe", "connection reset", "error reading server preface", "EOF") && o.secure():
		hint = "it closed the connection, maybe because it refuses the client's certificate, or misses one: name one that it trusts with --etcd-cert and --etcd-key"
	case has("connection refused", "connection reset", "broken pipe", "EOF", "deadline exceeded", "no such host", "no route to host", "i/o timeout"):
		hint = "is it running, and are the endpoints of --etcd right?"
	case has("no leader", "leader changed", "request timed out"):
		hint = "its members have no majority or elect a leader: see `etcdctl endpoint status`"
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, hint)
}

// who is the user, or the name in the client's certificate, which only etcd knows.
func (s *Source) who() string {
	if s.options.User != "" {
		return s.options.User
	}
	return "of the certificate"
}
