// usage: node redactbench.mjs MODULE.wasm DIRECTORY [NAME]
// Times the redactor in V8, the engine that Envoy runs it in, all kinds on, in tag mode. DIRECTORY is what
// `measure corpus` wrote: texts.json names its texts. Figures are microseconds for each KB and, of the median, MB a
// second.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [, , module, directory, only] = process.argv;
const file = (name) => new Uint8Array(readFileSync(join(directory, name)));
const ok = () => 0;
const nothing = new Proxy({}, { get: () => ok });

class Redactor {
  constructor(bytes) {
    this.exports = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: nothing, wasi_snapshot_preview1: nothing }).exports;
    this.exports._initialize();
    this.exports.kinds();
  }

  give(bytes) {
    const at = this.exports.room(bytes.length);
    new Uint8Array(this.exports.memory.buffer).set(bytes, at);
  }

  // time returns microseconds for each KB of some runs over bytes, in order.
  time(bytes, milliseconds) {
    this.give(bytes);
    const took = [];
    const end = performance.now() + milliseconds;
    for (let n = 0; n < 5 || performance.now() < end; n++) {
      const began = process.hrtime.bigint();
      if (!this.exports.run()) throw new Error('nothing came out');
      took.push(Number(process.hrtime.bigint() - began) / 1000 / (bytes.length / 1024));
    }
    return took.sort((a, b) => a - b);
  }
}

const at = (took, share) => took[Math.floor((took.length - 1) * share)];
const speed = (perKB) => 1024 / perKB; // bytes a microsecond
const line = (name, took) => console.log(`  ${name.padEnd(24)} p50 ${at(took, 0.5).toFixed(2).padStart(7)} us, p99 ${at(took, 0.99).toFixed(2).padStart(7)} us a KB, ${speed(at(took, 0.5)).toFixed(0).padStart(5)} MB/s`);

const redactor = new Redactor(readFileSync(module));
const texts = JSON.parse(readFileSync(join(directory, 'texts.json'))).filter((t) => !only || t.name === only);
for (const { file: name } of texts) redactor.time(file(name), 100); // compiled by the optimizing tier before anything counts

console.log('the redactor in V8, all kinds on: texts such as people write');
for (const { name, file: path } of texts.filter((t) => !t.hostile)) {
  const text = file(path);
  line(`${name}, 1 KB`, redactor.time(text.subarray(0, 1024), 300));
  for (const [label, size] of [['64 KB', 65536], ['1 MB', 1 << 20]]) {
    if (text.length >= size) line(`${name}, ${label}`, redactor.time(text.subarray(0, size), 300));
  }
}
console.log('texts whose every byte asks something of it, 64 KB of each');
const slow = [];
for (const { name, file: path } of texts.filter((t) => t.hostile)) {
  const took = redactor.time(file(path).subarray(0, 65536), 100);
  line(name, took);
  if (speed(at(took, 0.5)) < 100) slow.push(name);
}
console.log(`  below 100 MB/s: ${slow.length} of ${texts.filter((t) => t.hostile).length}`);
console.log("words of the user's, within words");
for (const { name, table, file: path } of JSON.parse(readFileSync(join(directory, 'words.json'))).filter((t) => !only || t.name === only)) {
  redactor.give(file(table));
  redactor.exports.words();
  redactor.time(file(path), 100);
  line(name, redactor.time(file(path), 200));
}
