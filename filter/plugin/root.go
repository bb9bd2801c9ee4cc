//go:build wasip1

package plugin

import (
	"runtime"
	"slices"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/weirmesh/weir/filter/policy/answer"
	"github.com/weirmesh/weir/filter/policy/engine"
	"github.com/weirmesh/weir/filter/policy/hold"
	"github.com/weirmesh/weir/filter/policy/spec"
)

// Register makes the plugin known to the SDK. It is called from init, because
// the module is a reactor and its main never runs.
func Register() { proxywasm.SetVMContext(worker) }

// vm is what all listeners of one Envoy worker share.
type vm struct {
	types.DefaultVMContext
	started  bool
	host     workerHost
	metrics  metrics
	seal     seal       // of records
	pool     *hold.Pool // bodies of all streams
	desk     answer.Desk
	out      bodyOut
	plugins  []*plugin // configurations that are in use, the latest last
	compiler engine.Compiler
	document []byte      // policy document while it is compiled; used again
	free     []*stream   // contexts between two requests
	live     []*stream   // between their first and last callback
	stopped  []*stream   // that were stopped and whose upstreams go on
	headers  pairsWriter // of the local reply that is being sent
	line     []byte      // log line that is being built
}

var worker = &vm{}

// OnVMStart does its work once a VM, before any configuration: Envoy calls it for each.
func (w *vm) OnVMStart(int) types.OnVMStartStatus {
	if w.started {
		return types.OnVMStartStatusOK
	}
	w.started = true
	w.host.seed()
	w.seal.start(workerSeal{}, &w.host.keys, newEpoch(), recordSpace[:])
	w.metrics.define()
	return types.OnVMStartStatusOK
}

// NewPluginContext is called for each configuration that Envoy gives the VM.
func (w *vm) NewPluginContext(uint32) types.PluginContext { return &plugin{} }

// plugin is one configuration; its streams keep its program when a newer one
// replaces it.
type plugin struct {
	types.DefaultPluginContext
	program *engine.Program
	limits  []uint16 // counters of its limits, by index in metrics.limits
	streams int      // that use the program
	done    bool     // there will be no more

	workedAt int64 // with shares: when the last tick did all that is to be done
}

// release gives the program's memory back when nothing uses it any more.
func (p *plugin) release() {
	if p.done && p.streams == 0 && p.program != nil {
		worker.compiler.Retire(p.program)
		p.program = nil
	}
}

// OnPluginStart compiles the policy document. If it refuses, Envoy rejects the
// update and the last good configuration serves on.
func (p *plugin) OnPluginStart(size int) types.OnPluginStartStatus {
	program, err := worker.compile(size)
	if err != nil {
		worker.log(levelError, "policy document refused: ", err.Error())
		return types.OnPluginStartStatusFailed
	}
	p.program = program
	p.limits = worker.metrics.limitMetrics(program)
	worker.plugins = append(worker.plugins, p)
	worker.sizePool()
	p.sealRecords()
	period := uint32(tickMilliseconds)
	if program.Shares() {
		period = leaseTickMilliseconds
	}
	if st := status(proxySetTickPeriod(period)); st != statusOK {
		worker.metrics.hostErrors.add(1)
		worker.log(levelError, "host call failed: set tick period", statusText(st))
	}
	return types.OnPluginStartStatusOK
}

// compile reads the policy document and makes a program of it. TinyGo's heap doubles
// when a collection in the middle of an update finds it full, and never shrinks: so
// what earlier updates left is collected before this one needs room.
func (w *vm) compile(size int) (*engine.Program, error) {
	runtime.GC()
	document, err := w.readDocument(size)
	if err != nil {
		return nil, err
	}
	var latest *engine.Program // its unchanged sections are used again
	if n := len(w.plugins); n > 0 {
		latest = w.plugins[n-1].program
	}
	return w.compiler.Compile(document, latest)
}

// Periods of ticks.
const (
	// tickMilliseconds is how late a counter may be.
	tickMilliseconds = 1000
	// leaseTickMilliseconds is how late a share may move, and what was wanted of it
	// be known.
	leaseTickMilliseconds = 100
)

// OnTick renews the shares of budgets that are one over all Envoys, tells Envoy what
// was counted, brings the list of open reservations up to date, and cuts off what has
// had its time.
func (p *plugin) OnTick() {
	if !p.done && p.program.Shares() {
		nowNs := now()
		worker.host.leases.tick(nowNs)
		if since := nowNs - p.workedAt; since >= 0 && since < (tickMilliseconds-leaseTickMilliseconds/2)*1_000_000 {
			return
		}
		p.workedAt = nowNs
	}
	p.sealRecords()
	worker.metrics.stored(&worker.host.store, &worker.host.leases)
	worker.metrics.sealed(&worker.seal)
	worker.metrics.flush()
	worker.keepList()
	worker.cutOffStopped()
}

// sealRecords sees to it that records are sealed, if they are to be.
func (p *plugin) sealRecords() {
	if !p.done && p.program.Evidence() != spec.EvidenceNone {
		worker.seal.turn(now())
	}
}

// OnPluginDone is called when the last stream of a replaced configuration is gone.
func (p *plugin) OnPluginDone() bool {
	if i := slices.Index(worker.plugins, p); i >= 0 {
		worker.plugins = slices.Delete(worker.plugins, i, i+1)
		worker.sizePool()
	}
	p.done = true
	p.release()
	return true
}

// NewHttpContext takes a context from the pool.
func (p *plugin) NewHttpContext(id uint32) types.HttpContext {
	return worker.open(p, id)
}

// Errors of reading the configuration.
const (
	errDocumentSize pluginError = "it is empty or larger than 4.5 MiB"
	errDocumentRead pluginError = "it cannot be read from the host"
)

type pluginError string

func (e pluginError) Error() string { return string(e) }

// readDocument reads the plugin configuration in ranges into a buffer that the
// next update uses again.
func (w *vm) readDocument(size int) ([]byte, error) {
	if size <= 0 || size > spec.MaxDocumentBytes {
		return nil, errDocumentSize
	}
	if cap(w.document) < size {
		w.document = make([]byte, 0, size)
	}
	document := w.document[:0]
	for len(document) < size {
		part, s := getBuffer(pluginConfiguration, uint32(len(document)), uint32(min(size-len(document), rangeSize)))
		if s != statusOK || len(part) == 0 {
			return nil, errDocumentRead
		}
		document = append(document, part...)
	}
	return document, nil
}

func (w *vm) log(level uint32, parts ...string) {
	w.line = w.line[:0]
	for _, p := range parts {
		w.line = append(w.line, p...)
	}
	logLine(level, w.line)
}

// sizePool lets the one pool hold what the most generous listener allows.
func (w *vm) sizePool() {
	limit := 0
	for _, p := range w.plugins {
		limit = max(limit, p.program.Hold())
	}
	if w.pool == nil {
		w.pool = hold.NewPool(limit)
	} else {
		w.pool.SetLimit(limit)
	}
}
