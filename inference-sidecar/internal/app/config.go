package app

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	stdruntime "runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/weirmesh/weir/inference-sidecar/internal/identity"
	"github.com/weirmesh/weir/inference-sidecar/internal/runtime/onnx"
)

// config is what the command line says, checked.
type config struct {
	models          string
	http, metrics   string
	library         string
	device          onnx.Device
	workers, queue  int
	maxRequest      int64
	requestMemory   int64
	modelMemory     int64
	workloadAPI     string
	peers           []spiffeid.ID
	plaintext       bool
	drain, identity time.Duration
	log             slog.HandlerOptions
	logJSON         bool
	version         bool
}

const usage = `inference-sidecar serves ONNX models over the Open Inference Protocol v2 and OpenAI-compatible embeddings.

  inference-sidecar --models DIR --allow-peer spiffe://weir.test/envoy
  inference-sidecar --models DIR --insecure-plaintext

DIR holds <model>/<version>/{model.yaml,model.onnx} and, for embeddings, the vocabulary that model.yaml names.

Flags:
`

// errUsage says that the reason has been printed.
var errUsage = errors.New("usage")

func parseConfig(args []string, getenv func(string) string, stderr io.Writer) (*config, error) {
	c := &config{}
	f := flag.NewFlagSet("inference-sidecar", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprint(stderr, usage)
		f.PrintDefaults()
	}
	c.define(f)
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, errUsage // the flag package has printed it
	}
	if c.version {
		return c, nil
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: this program takes flags only", f.Arg(0))
	}
	if c.library == "" {
		c.library = getenv("ONNXRUNTIME_LIB")
	}
	if c.workloadAPI == "" {
		c.workloadAPI = getenv("SPIFFE_ENDPOINT_SOCKET")
	}
	return c, c.check()
}

func (c *config) define(f *flag.FlagSet) {
	c.maxRequest, c.requestMemory, c.modelMemory = 64<<20, 256<<20, 4<<30
	c.device, c.log.Level = onnx.CPU, slog.LevelInfo
	f.StringVar(&c.models, "models", "", "`directory` of the models (required)")
	f.StringVar(&c.http, "http", "127.0.0.1:8000", "`address` to serve on")
	f.StringVar(&c.metrics, "metrics", "127.0.0.1:8002", "`address` to serve Prometheus metrics on, in plaintext; empty for none")
	f.StringVar(&c.library, "onnxruntime-lib", "", "`path` of libonnxruntime.so (default: the environment variable ONNXRUNTIME_LIB, else near this program)")
	f.Func("device", "where models run: `cpu or cuda` (default cpu); the program does not start where cuda cannot be used", func(s string) (err error) {
		c.device, err = onnx.ParseDevice(s)
		return err
	})
	f.IntVar(&c.workers, "workers", 0, "how many runs of models go on at once (default: one a processor; 2 on cuda)")
	f.IntVar(&c.queue, "queue", 64, "how many requests may wait beyond those; more are answered with 429")
	f.Var((*bytesValue)(&c.maxRequest), "max-request", "`size` of the largest request body")
	f.Var((*bytesValue)(&c.requestMemory), "request-memory", "`size` of all request bodies together; more are answered with 429")
	f.Var((*bytesValue)(&c.modelMemory), "model-memory", "`size` of what models may allocate on the CPU, weights included; 0 is no bound")
	f.StringVar(&c.workloadAPI, "workload-api", "", "`address` of the SPIFFE Workload API (default: the environment variable SPIFFE_ENDPOINT_SOCKET)")
	f.Func("allow-peer", "`SPIFFE ID` that may connect; may be given several times", func(s string) error {
		id, err := identity.ParsePeer(s)
		c.peers = append(c.peers, id)
		return err
	})
	f.BoolVar(&c.plaintext, "insecure-plaintext", false, "serve without TLS; on a loopback address only")
	f.DurationVar(&c.identity, "identity-timeout", time.Minute, "how long the first SVID may take")
	f.DurationVar(&c.drain, "drain-timeout", 25*time.Second, "how long requests may take to end when the program is told to stop")
	f.Func("log-level", "`level` from which on to log: debug, info, warn or error (default info)", func(s string) (err error) {
		c.log.Level, err = parseLevel(s)
		return err
	})
	f.Func("log-format", "`text or json` (default text)", func(s string) error {
		c.logJSON = s == "json"
		if s != "json" && s != "text" {
			return errors.New("it is neither text nor json")
		}
		return nil
	})
	f.BoolVar(&c.version, "version", false, "print the version and exit")
}

func (c *config) check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.models == "" {
		wrong("--models is missing: give the directory of the models")
	}
	for _, n := range []struct {
		flag         string
		value, least int64
	}{
		{"workers", int64(c.workers), 0}, {"queue", int64(c.queue), 0}, {"drain-timeout", int64(c.drain), 0},
		{"identity-timeout", int64(c.identity), 1}, {"max-request", c.maxRequest, 1}, {"request-memory", c.requestMemory, 1},
	} {
		switch {
		case n.value < 0:
			wrong("--%s cannot be negative", n.flag)
		case n.value < n.least:
			wrong("--%s cannot be 0", n.flag)
		}
	}
	c.checkPeers(wrong)
	if c.workers == 0 {
		c.workers = stdruntime.GOMAXPROCS(0)
		if c.device == onnx.CUDA {
			c.workers = 2 // one computes while the other copies
		}
	}
	return errors.Join(errs...)
}

func (c *config) checkPeers(wrong func(string, ...any)) {
	switch {
	case c.plaintext && (len(c.peers) > 0):
		wrong("--allow-peer has no effect with --insecure-plaintext: leave one of them out")
	case c.plaintext:
		if !loopback(c.http) {
			wrong("--insecure-plaintext: --http %s is not a loopback address such as 127.0.0.1:8000", c.http)
		}
	case len(c.peers) == 0:
		wrong("--allow-peer is missing: name the SPIFFE IDs that may connect, such as spiffe://weir.test/envoy (or give --insecure-plaintext, for a loopback address)")
	case c.workloadAPI == "":
		wrong("--workload-api is missing: the server needs an identity; give the Workload API's address or set SPIFFE_ENDPOINT_SOCKET")
	}
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

func parseLevel(s string) (slog.Level, error) {
	switch s {
	case "debug", "info", "warn", "error":
		var l slog.Level
		err := l.UnmarshalText([]byte(s))
		return l, err
	}
	return 0, errors.New("it is none of debug, info, warn and error")
}

// bytesValue is a flag for sizes such as 64MiB.
type bytesValue int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}, {"", 1}}

// Set implements flag.Value.
func (b *bytesValue) Set(s string) error {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.bytes {
			break
		}
		*b = bytesValue(n * u.bytes)
		return nil
	}
	return errors.New("it is a number of bytes, or one with KiB, MiB or GiB")
}

// String implements flag.Value.
func (b *bytesValue) String() string {
	for _, u := range []int{2, 1, 0} {
		if unit := sizeUnits[u]; *b != 0 && int64(*b)%unit.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(*b)/unit.bytes, unit.suffix)
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

// findLibrary returns the path of libonnxruntime.so: what was given, or the first found near the program.
func findLibrary(given, program string) (string, error) {
	if given != "" {
		if _, err := os.Stat(given); err != nil {
			return "", fmt.Errorf("the ONNX Runtime library (--onnxruntime-lib or ONNXRUNTIME_LIB): %w", err)
		}
		return given, nil
	}
	dir := filepath.Dir(program)
	var tried []string
	for _, near := range []string{"", "lib", "../lib", ".tools/lib", "../.tools/lib"} {
		path := filepath.Join(dir, near, "libonnxruntime.so")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		tried = append(tried, path)
	}
	return "", fmt.Errorf("libonnxruntime.so not found: give --onnxruntime-lib or set ONNXRUNTIME_LIB (looked for %s)", strings.Join(tried, ", "))
}
