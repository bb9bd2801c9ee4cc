package etcd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/weirmesh/weir/xds-server/internal/etcdtest"
	"github.com/weirmesh/weir/xds-server/internal/source"
)

// refusal reads once and returns what went wrong.
func refusal(t *testing.T, o Options) string {
	t.Helper()
	u := must[source.Update](t)(source.Read(t.Context(), []source.Source{newSource(t, o)}))
	return describe(u)
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	authority, stranger := newAuthority(t, dir, "authority"), newAuthority(t, dir, "stranger")
	serverCert, serverKey := authority.issue(t, dir, "server", "127.0.0.1")
	clientCert, clientKey := authority.issue(t, dir, "client", "")
	otherCert, otherKey := stranger.issue(t, dir, "other", "")
	e := etcdtest.Start(t, func(c *embed.Config) {
		c.ListenClientUrls, c.AdvertiseClientUrls = etcdtest.URLs("https://127.0.0.1:0"), etcdtest.URLs("https://127.0.0.1:0")
		c.ClientTLSInfo = tlsInfo(serverCert, serverKey, authority.file)
	})
	address := e.Address(t)
	open, client := etcdtest.Plain(t)
	etcdtest.Put(t, client, "/weir/a", "1")
	for _, test := range []struct {
		name string
		o    Options
		want string
	}{
		{"right", Options{Endpoints: []string{address}, CAFile: authority.file, CertFile: clientCert, KeyFile: clientKey}, ""},
		{"right, with https", Options{Endpoints: []string{"https://" + address}, CAFile: authority.file, CertFile: clientCert, KeyFile: clientKey}, ""},
		{"right, without", Options{Endpoints: []string{open}}, "a=1"},
		{"wrong authority", Options{Endpoints: []string{address}, CAFile: stranger.file, CertFile: clientCert, KeyFile: clientKey}, "name the certificates of who signed the etcd's with --etcd-ca"},
		{"no authority", Options{Endpoints: []string{"https://" + address}}, "name the certificates of who signed the etcd's with --etcd-ca"},
		{"no certificate", Options{Endpoints: []string{address}, CAFile: authority.file}, "name one that it trusts with --etcd-cert and --etcd-key"},
		{"certificate of a stranger", Options{Endpoints: []string{address}, CAFile: authority.file, CertFile: otherCert, KeyFile: otherKey}, "name one that it trusts with --etcd-cert and --etcd-key"},
		{"another name", Options{Endpoints: []string{address}, CAFile: authority.file, CertFile: clientCert, KeyFile: clientKey, ServerName: "etcd.example"}, "name what the etcd's certificate says with --etcd-server-name"},
		{"TLS where there is none", Options{Endpoints: []string{open}, CAFile: authority.file}, "it may use no TLS: then write http://"},
		{"none where there is TLS", Options{Endpoints: []string{address}}, "does it use TLS? Then write https://"},
		{"files that are not there", Options{Endpoints: []string{address}, CAFile: "missing"}, "name their file with --etcd-ca"},
		{"files of something else", Options{Endpoints: []string{address}, CAFile: clientKey}, "has none in PEM"},
		{"a key of another", Options{Endpoints: []string{address}, CAFile: authority.file, CertFile: clientCert, KeyFile: otherKey}, "name a pair with --etcd-cert and --etcd-key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := refusal(t, test.o)
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestUsers(t *testing.T) {
	address, client := etcdtest.Plain(t)
	etcdtest.Put(t, client, "/weir/a", "1")
	must[*clientv3.AuthRoleAddResponse](t)(client.RoleAdd(t.Context(), "root"))
	must[*clientv3.AuthRoleAddResponse](t)(client.RoleAdd(t.Context(), "reader"))
	must[*clientv3.AuthRoleGrantPermissionResponse](t)(client.RoleGrantPermission(t.Context(), "reader", "/weir/", clientv3.GetPrefixRangeEnd("/weir/"), clientv3.PermissionType(clientv3.PermRead)))
	for _, user := range []struct{ name, role string }{{"root", "root"}, {"weir", "reader"}, {"nobody", ""}} {
		must[*clientv3.AuthUserAddResponse](t)(client.UserAdd(t.Context(), user.name, "secret"))
		if user.role != "" {
			must[*clientv3.AuthUserGrantRoleResponse](t)(client.UserGrantRole(t.Context(), user.name, user.role))
		}
	}
	dir := t.TempDir()
	right, wrong := filepath.Join(dir, "right"), filepath.Join(dir, "wrong")
	writeFile(t, right, []byte("secret\n"))
	writeFile(t, wrong, []byte("guess\n"))
	check := func(name string, o Options, want string) {
		t.Run(name, func(t *testing.T) {
			o.Endpoints = []string{address}
			got := refusal(t, o)
			if !strings.Contains(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if strings.Contains(got, "secret") || strings.Contains(got, "guess") {
				t.Errorf("the password is shown: %q", got)
			}
		})
	}
	check("no authentication yet", Options{User: "weir", PasswordFile: right}, "a=1")
	must[*clientv3.AuthEnableResponse](t)(client.AuthEnable(t.Context()))
	check("right", Options{User: "weir", PasswordFile: right}, "a=1")
	check("no user", Options{}, "it serves users only: name one with --etcd-user")
	check("wrong password", Options{User: "weir", PasswordFile: wrong}, `user "weir" or the password in `+wrong+" is wrong")
	check("no password", Options{User: "weir", PasswordFile: filepath.Join(dir, "none")}, "name its file with --etcd-password-file")
	check("no permission", Options{User: "nobody", PasswordFile: right}, `user "nobody" may not read what begins with "/weir/": give it a role`)
	check("another prefix", Options{User: "weir", PasswordFile: right, Prefix: "/other/"}, "--prefix=true read /other/")
	// The permission arrives while the source waits for it.
	root := must[*clientv3.Client](t)(clientv3.New(clientv3.Config{Endpoints: []string{address}, Username: "root", Password: "secret"}))
	t.Cleanup(func() { _ = root.Close() })
	wait := follow(t, newSource(t, Options{Endpoints: []string{address}, User: "nobody", PasswordFile: right}), nil)
	wait(contains("may not read", "(it has not been read yet)"))
	must[*clientv3.AuthUserGrantRoleResponse](t)(root.UserGrantRole(t.Context(), "nobody", "reader"))
	wait(is("a=1"))
	must[*clientv3.PutResponse](t)(root.Put(t.Context(), "/weir/a", "2"))
	wait(is("a=2"))
}

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{}, "no endpoints"},
		{Options{Endpoints: []string{"localhost"}}, `endpoint "localhost" is not host:port`},
		{Options{Endpoints: []string{"ftp://localhost:1"}}, "is not host:port"},
		{Options{Endpoints: []string{"http://a:1/path"}}, "is not host:port"},
		{Options{Endpoints: []string{"http://user:password@a:1"}}, "is not host:port"},
		{Options{Endpoints: []string{"a:1", "https://b:1"}}, "make them alike"},
		{Options{Endpoints: []string{"a:1"}, CertFile: "c"}, "a client certificate needs its key"},
		{Options{Endpoints: []string{"a:1"}, KeyFile: "k"}, "a client certificate needs its key"},
		{Options{Endpoints: []string{"a:1"}, User: "u"}, "a user needs a password"},
		{Options{Endpoints: []string{"http://a:1"}, CAFile: "ca"}, "use no TLS"},
	} {
		if _, err := New(test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want %q", test.o, err, test.want)
		}
	}
	s := must[*Source](t)(New(Options{Endpoints: []string{"a:1", "b:2"}, Prefix: "/x/y/"}))
	if s.String() != "etcd a:1,b:2 under /x/y/" || s.Label() != "etcd:a:1,b:2/x/y" {
		t.Errorf("it is called %q and %q", s.String(), s.Label())
	}
}

// authority issues certificates for tests.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string
}

func newAuthority(t *testing.T, dir, name string) authority {
	t.Helper()
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	a := authority{must[*x509.Certificate](t)(x509.ParseCertificate(der)), key, filepath.Join(dir, name+".pem")}
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

func (a authority) issue(t *testing.T, dir, name, address string) (cert, key string) {
	t.Helper()
	private := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if address != "" {
		template.IPAddresses = []net.IP{net.ParseIP(address)}
	}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, a.certificate, &private.PublicKey, a.key))
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	writePEM(t, cert, "CERTIFICATE", der)
	writePEM(t, key, "PRIVATE KEY", must[[]byte](t)(x509.MarshalPKCS8PrivateKey(private)))
	return cert, key
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	writeFile(t, path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
