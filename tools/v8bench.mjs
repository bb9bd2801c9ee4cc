// usage: node v8bench.mjs FILTER.wasm DIRECTORY
// Times the filter's own work for one request in V8, the engine that Envoy runs it in: everything from the creation of
// the stream's context to its end, with host calls that cost next to nothing. DIRECTORY is what `measure corpus` wrote.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [, , module, directory] = process.argv;
const file = (path) => new Uint8Array(readFileSync(path));
const warmUp = 30_000, rounds = 60_000;
const ok = 0, notFound = 1, invalidMemory = 6;
const responseHeaders = 2, responseBody = 1, pluginConfiguration = 7;
const usage = { prompt_tokens: 200, completion_tokens: 20, total_tokens: 220 };
const answer = new Uint8Array(Buffer.from(JSON.stringify({ id: 'x', object: 'chat.completion', choices: [], usage })));

// host is the part of the proxy-wasm ABI that the filter uses, on one canned request.
class Host {
  constructor(policy) {
    this.policy = policy;
    this.shared = new Map();
    this.seconds = 1700000000n; // one for each request, so that no budget ends
    this.replies = 0;
  }

  get memory() { return new Uint8Array(this.exports.memory.buffer); }

  text(p, n) { return Buffer.from(this.memory.subarray(p, p + n)).toString('latin1'); }

  give(bytes, pointer, size) {
    const at = this.exports.malloc(bytes.length);
    if (!at) return invalidMemory;
    const view = new DataView(this.exports.memory.buffer);
    new Uint8Array(view.buffer).set(bytes, at);
    view.setUint32(pointer, at, true);
    view.setUint32(size, bytes.length, true);
    return ok;
  }

  imports() {
    const env = {
      proxy_log: (level, p, n) => { console.error(Buffer.from(this.memory.subarray(p, p + n)).toString()); return ok; },
      proxy_get_current_time_nanoseconds: (p) => { new DataView(this.exports.memory.buffer).setBigUint64(p, this.seconds * 1000000000n, true); return ok; },
      proxy_get_property: () => notFound,
      proxy_get_header_map_pairs: (kind, p, n) => this.give(kind === responseHeaders ? answerHeaders : this.headers, p, n),
      proxy_get_buffer_bytes: (kind, start, n, p, size) =>
        this.give((kind === pluginConfiguration ? this.policy : kind === responseBody ? answer : this.body).subarray(start, start + n), p, size),
      proxy_send_local_response: () => { this.replies++; return ok; },
      proxy_get_shared_data: (k, kn, p, n, cas) => {
        const value = this.shared.get(this.text(k, kn));
        if (!value) return notFound;
        new DataView(this.exports.memory.buffer).setUint32(cas, 1, true);
        return this.give(value, p, n);
      },
      proxy_set_shared_data: (k, kn, p, n) => { this.shared.set(this.text(k, kn), this.memory.slice(p, p + n)); return ok; },
    };
    const nothing = () => ok;
    const rest = { get: (known, name) => known[name] ?? nothing };
    return { env: new Proxy(env, rest), wasi_snapshot_preview1: new Proxy({}, rest) };
  }

  start(bytes) {
    this.exports = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.imports()).exports;
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
    this.seconds++;
    e.proxy_on_context_create(id, 1);
    e.proxy_on_request_headers(id, 10, 0);
    e.proxy_on_request_body(id, this.body.length, 0);
    e.proxy_on_request_body(id, 0, 1);
    e.proxy_on_response_headers(id, 2, 0);
    e.proxy_on_response_body(id, answer.length, 1);
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

const answerHeaders = pairs([[':status', '200'], ['content-type', 'application/json']]);

console.log('the filter in V8, one whole request, host calls stubbed');
for (const name of ['clean.json', 'personal.json']) {
  const host = new Host(file(join(directory, 'policy.json')));
  host.start(file(module));
  host.request(file(join(directory, name)));
  for (let i = 0; i < warmUp; i++) host.serve();
  const took = new Float64Array(rounds);
  for (let i = 0; i < rounds; i++) {
    const began = process.hrtime.bigint();
    host.serve();
    took[i] = Number(process.hrtime.bigint() - began) / 1000;
  }
  if (host.replies) throw new Error(`${host.replies} requests were refused: nothing was measured`);
  took.sort();
  console.log(`  1 KB chat, ${name}: p50 ${took[rounds / 2].toFixed(1)} us, p99 ${took[rounds * 0.99].toFixed(1)} us`);
}
