// usage: node v8bench.mjs FILTER.wasm DIRECTORY
// Times the filter's own work for one request in V8, the engine that Envoy runs it in: everything from the creation of
// the stream's context to its end, with host calls that cost next to nothing. DIRECTORY is what `measure corpus` wrote;
// calls.wasm in it makes the same host calls and computes nothing, in turns with the filter: what it takes is this
// program's. The host makes next to no garbage, so that
// few of Node's collections fall into a request.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [, , module, directory] = process.argv;
const file = (path) => new Uint8Array(readFileSync(path));
const warmUp = 30_000, turns = 20, rounds = 3_000;
const ok = 0, notFound = 1, invalidMemory = 6;
const responseHeaders = 2, responseBody = 1, pluginConfiguration = 7;
const usage = { prompt_tokens: 200, completion_tokens: 20, total_tokens: 220 };
const answer = new Uint8Array(Buffer.from(JSON.stringify({ id: 'x', object: 'chat.completion', choices: [], usage })));

// host is the part of the proxy-wasm ABI that the filter uses, on one canned request.
class Host {
  constructor(policy) {
    this.policy = policy;
    this.shared = new Map();
    this.now = 1_700_000_000_000_000_000n;
    this.replies = 0;
  }

  // look makes views of the module's memory, which are void when it has grown.
  look() {
    const { buffer } = this.exports.memory;
    if (this.memory?.buffer === buffer) return;
    this.memory = new Uint8Array(buffer);
    this.view = new DataView(buffer);
  }

  // key is a number for a key of shared data: a string would be garbage.
  key(p, n) {
    let hash = 5381;
    for (let i = 0; i < n; i++) hash = (Math.imul(hash, 33) ^ this.memory[p + i]) | 0;
    return hash;
  }

  give(bytes, pointer, size) {
    const at = this.exports.malloc(bytes.length);
    if (!at) return invalidMemory;
    this.look();
    this.memory.set(bytes, at);
    this.view.setUint32(pointer, at, true);
    this.view.setUint32(size, bytes.length, true);
    return ok;
  }

  // bytes is a range of a buffer. Bodies are asked for whole.
  bytes(kind, start, n) {
    const all = kind === pluginConfiguration ? this.policy : kind === responseBody ? answer : this.body;
    return start === 0 && n >= all.length ? all : all.subarray(start, start + n);
  }

  save(key, p, n) {
    const old = this.shared.get(key), value = this.memory.subarray(p, p + n);
    if (old?.length === n) old.set(value); else this.shared.set(key, value.slice());
    return ok;
  }

  imports(compiled) {
    const env = {
      proxy_log: (level, p, n) => { this.look(); console.error(Buffer.from(this.memory.subarray(p, p + n)).toString()); return ok; },
      proxy_get_current_time_nanoseconds: (p) => { this.look(); this.view.setBigUint64(p, this.now, true); return ok; },
      proxy_get_property: () => notFound,
      proxy_get_header_map_pairs: (kind, p, n) => this.give(kind === responseHeaders ? answerHeaders : this.headers, p, n),
      proxy_get_buffer_bytes: (kind, start, n, p, size) => this.give(this.bytes(kind, start, n), p, size),
      proxy_send_local_response: () => { this.replies++; return ok; },
      proxy_get_shared_data: (k, kn, p, n, cas) => {
        this.look();
        const value = this.shared.get(this.key(k, kn));
        if (!value) return notFound;
        this.view.setUint32(cas, 1, true);
        return this.give(value, p, n);
      },
      proxy_set_shared_data: (k, kn, p, n) => { this.look(); return this.save(this.key(k, kn), p, n); },
    };
    const nothing = () => ok, imports = {};
    for (const { module: from, name } of WebAssembly.Module.imports(compiled)) (imports[from] ??= {})[name] = (from === 'env' && env[name]) || nothing;
    return imports;
  }

  start(bytes) {
    const compiled = new WebAssembly.Module(bytes);
    this.exports = new WebAssembly.Instance(compiled, this.imports(compiled)).exports;
    this.exports._initialize();
    this.exports.proxy_on_context_create(1, 0);
    this.exports.proxy_on_vm_start(1, 0);
    if (!this.exports.proxy_on_configure(1, this.policy.length)) throw new Error('the filter refused the policy');
    this.stream = 1;
  }

  request(body) {
    this.body = body;
    this.headers = pairs([[':authority', 'localhost'], [':path', '/v1/chat/completions'], [':method', 'POST'], [':scheme', 'http'],
      ['content-type', 'application/json'], ['content-length', String(body.length)], ['x-tenant-id', 'acme'], ['x-user-id', 'user-17'],
      ['x-forwarded-proto', 'http'], ['x-request-id', '7b6ad0a3-2f43-4f8f-9c4e-0d1d7d9a9c55']]);
  }

  serve() {
    const e = this.exports, id = ++this.stream;
    this.now += 1_000_000_000n; // so that no budget ends
    e.proxy_on_context_create(id, 1);
    e.proxy_on_request_headers(id, 10, 0);
    e.proxy_on_request_body(id, this.body.length, 0);
    e.proxy_on_request_body(id, 0, 1);
    e.proxy_on_response_headers(id, 3, 0);
    e.proxy_on_response_body(id, answer.length, 0);
    e.proxy_on_response_body(id, 0, 1);
    e.proxy_on_log(id);
    e.proxy_on_done(id);
    e.proxy_on_delete(id);
  }
}

function pairs(headers) {
  const sizes = Buffer.alloc(4 + 8 * headers.length);
  sizes.writeUInt32LE(headers.length);
  headers.forEach(([name, value], i) => { sizes.writeUInt32LE(name.length, 4 + 8 * i); sizes.writeUInt32LE(value.length, 8 + 8 * i); });
  return new Uint8Array(Buffer.concat([sizes, ...headers.map(([name, value]) => Buffer.from(`${name}\0${value}\0`))]));
}

const answerHeaders = pairs([[':status', '200'], ['content-type', 'application/json'], ['content-length', String(answer.length)]]);

// numbered is the module with a custom section of its own, so that V8 does not take it for one that it has compiled.
const numbered = (bytes, i) => { const copy = new Uint8Array(bytes.length + 5); copy.set(bytes); copy.set([0, 3, 1, 0x78, i], bytes.length); return copy; };

// started are copies of a module that have served until V8 has compiled them for good.
function started(bytes, copies, body) {
  return Array.from({ length: copies }, (_, i) => {
    const host = new Host(file(join(directory, 'policy.json')));
    host.start(numbered(bytes, i));
    host.request(body);
    for (let n = 0; n < warmUp; n++) host.serve();
    return host;
  });
}

// time has two kinds of modules serve in turns, the copies of each one after the other, and returns the microseconds
// of each kind's requests in order.
function time(kinds) {
  const took = kinds.map(() => new Float64Array(turns * rounds));
  for (let turn = 0; turn < turns; turn++) {
    kinds.forEach((hosts, k) => {
      for (let i = 0; i < rounds; i++) {
        const host = hosts[i % hosts.length], began = performance.now();
        host.serve();
        took[k][turn * rounds + i] = (performance.now() - began) * 1000;
      }
    });
  }
  for (const host of kinds.flat()) if (host.replies) throw new Error(`${host.replies} requests were refused: nothing was measured`);
  return took.map((t) => t.sort());
}

const at = (t, share) => t[Math.floor((t.length - 1) * share)].toFixed(1).padStart(6);

console.log('the filter in V8, one whole request, in microseconds; in turns with a module that makes its host calls alone');
for (const [copies, what] of [[1, 'one VM'], [6, 'six VMs by turns, so that none finds its code in the nearest caches']]) {
  console.log(what);
  for (const name of ['clean.json', 'personal.json']) {
    const body = file(join(directory, name));
    const [calls, filter] = time([started(file(join(directory, 'calls.wasm')), copies, body), started(file(module), copies, body)]);
    for (const [label, t] of [['host calls alone', calls], ['filter', filter]]) {
      console.log(`  1 KB chat, ${name.padEnd(13)} ${label.padEnd(16)} p50 ${at(t, 0.5)}  p90 ${at(t, 0.9)}  p99 ${at(t, 0.99)}`);
    }
  }
}
