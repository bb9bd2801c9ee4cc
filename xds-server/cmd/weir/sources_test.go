package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/xds-server/internal/artefact"
	"github.com/weirmesh/weir/xds-server/internal/etcdtest"
)

// public makes the local example with a listener for the public, and the folder
// with its certificate.
func public(t *testing.T) (resources, certificates string) {
	t.Helper()
	resources, certificates = t.TempDir(), t.TempDir()
	if err := os.CopyFS(resources, os.DirFS(example)); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(resources, "gateway.yaml"), "port: 10000", "port: 10000\n      tls: {certificate: {certificateFile: www.crt, keyFile: www.key}}")
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"www.example.com"}}
	leaf, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(certificates, "www.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf}), 0o600),
		os.WriteFile(filepath.Join(certificates, "www.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return resources, certificates
}

func edit(t *testing.T, path, old, text string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), old, text, 1)
	if changed == string(data) {
		t.Fatalf("%s does not hold %q", path, old)
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

// canary is a folder with a route that leads all requests of the example's model
// to its second version.
func canary(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	data, err := os.ReadFile(example + "/modelroute.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "canary.yaml")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	edit(t, path, "{version: v2, weight: 10}", "{version: v2, weight: 100}")
	edit(t, path, "{version: v1, weight: 90}", "{version: v1, weight: 0}")
	return dir
}

// TestProblemsOfSources: what cannot be read is told, not taken for absent. No
// filter is needed for that.
func TestProblemsOfSources(t *testing.T) {
	resources, certificates := public(t)
	route := canary(t)
	edit(t, filepath.Join(route, "canary.yaml"), "weight: 100", "weight: 99")
	missing, empty := filepath.Join(t.TempDir(), "missing"), filepath.Join(t.TempDir(), "empty.wasm")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	address, client := etcdtest.Plain(t)
	etcdtest.Put(t, client, "/weir/a", "kind: Modle")
	for name, c := range map[string]struct {
		args []string
		want []string // parts of the output; none: the sources are right
	}{
		"no certificates":         {[]string{"-f", resources}, []string{"gateway.yaml:", `no certificate file "www.crt"`, "--certificates"}},
		"certificates":            {[]string{"-f", resources, "--certificates", certificates}, nil},
		"certificates not there":  {[]string{"-f", resources, "--certificates", missing}, []string{missing + ": it does not exist", "1 problem"}},
		"a bad second folder":     {[]string{"-f", example, "-f", route}, []string{route + "/canary.yaml:", "spec.split"}},
		"overridden by the first": {[]string{"-f", route, "-f", example}, nil},
		"a bad etcd":              {[]string{"-f", example, "--etcd", address}, []string{"etcd:/weir/a@2:1:7", `"Modle"`}},
		"an etcd not there":       {[]string{"-f", example, "--etcd", "127.0.0.1:1"}, []string{"etcd 127.0.0.1:1 under /weir/:", "1 problem"}},
		"one twice":               {[]string{"-f", example, "-f", example}, []string{"given twice"}},
	} {
		for _, command := range []string{"check", "explain"} {
			t.Run(command+" "+name, func(t *testing.T) {
				args := slices.Concat([]string{command}, c.args, []string{"--filter-module", empty})
				if command == "explain" {
					args = append(args, "--request", example+"/request.http")
				}
				var stdout, stderr bytes.Buffer
				status := run(t.Context(), args, nil, &stdout, &stderr)
				out := stdout.String() + stderr.String()
				if c.want == nil && !strings.Contains(out, "filter module") { // what is wrong comes after the sources
					t.Errorf("the sources are not right:\n%s", out)
				}
				for _, want := range c.want {
					if status != exitWrong || !strings.Contains(out, want) {
						t.Errorf("status %d, want %q in\n%s", status, want, out)
					}
				}
			})
		}
	}
}

// TestSourcesTogether: a listener for the public and what a later folder defines
// anew are checked and explained as the server has them.
func TestSourcesTogether(t *testing.T) {
	artefact.Built(t, "filter.wasm") // which the command finds by itself
	resources, certificates := public(t)
	address, client := etcdtest.Plain(t)
	route := canary(t)
	data, err := os.ReadFile(filepath.Join(route, "canary.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	etcdtest.Put(t, client, "/weir/canary", string(data))
	for name, later := range map[string][]string{"folder": {"-f", route}, "etcd": {"--etcd", address}} {
		t.Run(name, func(t *testing.T) {
			sources := append([]string{"-f", resources, "--certificates", certificates}, later...)
			var stdout, stderr bytes.Buffer
			if status := run(t.Context(), append([]string{"check"}, sources...), nil, &stdout, &stderr); status != exitOK {
				t.Fatalf("status %d\n%s\n%s", status, &stdout, &stderr)
			}
			if out := stdout.String(); !strings.Contains(out, "ModelRoute/minilm of "+resources+"/modelroute.yaml:") || !strings.Contains(out, "has no effect: a later source defines it") {
				t.Errorf("report:\n%s", out)
			}
			stdout.Reset()
			args := append([]string{"explain", "--request", example + "/request.http"}, sources...)
			if status := run(t.Context(), args, nil, &stdout, &stderr); status != exitOK || !strings.Contains(stdout.String(), "minilm@v2") {
				t.Errorf("status %d\n%s\n%s", status, &stdout, &stderr)
			}
		})
	}
}
