// What docs/interop.md says of @msgpack/msgpack.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from '@msgpack/msgpack';

const hex = (value, options) => Buffer.from(encode(value, options)).toString('hex');
const unhex = (digits) => Buffer.from(digits, 'hex');

test('integers are rounded without useBigInt64', () => {
  assert.equal(decode(unhex('cf0020000000000001')), 2 ** 53);
  assert.equal(decode(unhex('cf0020000000000001'), { useBigInt64: true }), 2n ** 53n + 1n);
  assert.equal(decode(unhex('ce80000000'), { useBigInt64: true }), 2 ** 31); // a Number still
});

test('a Number of 2³² is a float with useBigInt64', () => {
  assert.equal(hex(2 ** 32 - 1, { useBigInt64: true }), 'ceffffffff');
  assert.equal(hex(2 ** 32, { useBigInt64: true }), 'cb41f0000000000000');
  assert.equal(hex(2n ** 32n, { useBigInt64: true }), 'cf0000000100000000');
});

test('a BigInt is cut off', () => {
  assert.equal(hex(2n ** 64n + 5n, { useBigInt64: true }), 'cf0000000000000005');
});

test('a Number without a fraction is an integer', () => {
  assert.equal(hex(5.0), '05');
  assert.equal(hex(5, { forceIntegerToFloat: true }), 'cb4014000000000000');
});

test('a Date loses nanoseconds', () => {
  assert.equal(decode(unhex('d7ff0000000c00000005')).getTime(), 5000);
});

test('keys are text', () => {
  assert.equal(hex({ 1: 2 }), '81a13102');
});

test('what the library refuses is taken', () => {
  assert.deepEqual(decode(unhex('82a16101a16102')), { a: 2 });
  assert.equal(typeof decode(unhex('a1ff')), 'string');
  assert.doesNotThrow(() => decode(unhex('91'.repeat(150) + '90')));
});
