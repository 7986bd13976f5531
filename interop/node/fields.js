// Messages with the types of their Go fields, which MessagePack and JavaScript do not have: integers are
// BigInts, times are of nanoseconds, nil is the zero value.
import { Decoder, Encoder, ExtData, ExtensionCodec } from '@msgpack/msgpack';

// Time counts from 1970 in UTC. A Date has milliseconds only.
export class Time {
  constructor(seconds, ns = 0) {
    this.seconds = BigInt(seconds);
    this.ns = ns;
  }

  static readTimestamp(data) {
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    if (data.length === 4) return new Time(view.getUint32(0));
    if (data.length === 12) return new Time(view.getBigInt64(4), view.getUint32(0));
    const both = view.getBigUint64(0); // any other length throws or is refused below
    return new Time(both & 0x3ffffffffn, data.length === 8 ? Number(both >> 34n) : 1e9);
  }

  // timestamp writes the shortest of the three forms.
  timestamp() {
    const data = Buffer.alloc(12);
    if (this.ns === 0 && this.seconds >= 0n && this.seconds < 2n ** 32n) {
      data.writeUInt32BE(Number(this.seconds));
      return data.subarray(0, 4);
    }
    if (this.seconds >= 0n && this.seconds < 2n ** 34n) {
      data.writeBigUInt64BE((BigInt(this.ns) << 34n) | this.seconds);
      return data.subarray(0, 8);
    }
    data.writeUInt32BE(this.ns);
    data.writeBigInt64BE(this.seconds, 4);
    return data;
  }
}

const extensionCodec = new ExtensionCodec();
extensionCodec.register({ type: -1, encode: (v) => (v instanceof Time ? v.timestamp() : null), decode: (data) => Time.readTimestamp(data) });

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// useBigInt64 keeps what a Number would round, and forceIntegerToFloat keeps the Number 5 a float.
const decoder = new Decoder({
  extensionCodec,
  useBigInt64: true,
  mapKeyConverter: (key) => (key instanceof Uint8Array ? utf8.decode(key) : String(key)),
});
const encoder = new Encoder({ extensionCodec, useBigInt64: true, forceIntegerToFloat: true });

const RANGES = Object.fromEntries(
  [8, 16, 32, 64].flatMap((bits) => [
    [`int${bits}`, [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n]],
    [`uint${bits}`, [0n, 2n ** BigInt(bits) - 1n]],
  ]),
);

const isInteger = (type) => typeof type === 'string' && type in RANGES;

// A type is the name of one ('int64', 'float64', 'bool', 'string', 'bytes', 'time', 'any'), [type] for a
// list, { array: type, length }, { map: type, keys: type }, or a function that returns the object of the fields of a
// message, by which it may refer to itself. pointer: true beside fields lets nil be null.

// decode returns the message in a payload.
export function decode(type, payload) {
  return read(type, decoder.decode(payload), 'message');
}

// encode returns the payload of a message. It refuses what its fields cannot hold.
export function encode(type, message) {
  return write(type, message, 'message');
}

function want(at, type, value) {
  return new TypeError(`${at}: ${value === null ? 'nil' : Array.isArray(value) ? 'array' : value?.constructor?.name ?? typeof value} where ${type} is expected`);
}

function integer(type, value, at) {
  if (typeof value === 'number' && Number.isInteger(value)) value = BigInt(value);
  if (typeof value !== 'bigint') throw want(at, type, value);
  const [least, most] = RANGES[type];
  if (value < least || value > most) throw new RangeError(`${at}: ${value} is no ${type}`);
  return value;
}

function float(type, value, at) {
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number !== 'number') throw want(at, type, value);
  if (typeof value === 'bigint' && BigInt(number) !== value) throw new RangeError(`${at}: ${value} is no ${type}`);
  return number;
}

function time(value, at) {
  if (typeof value === 'string') {
    const [, seconds, fraction = '', zone] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(value) ?? [];
    if (!seconds) throw want(at, 'a time', value);
    return new Time(Date.parse(seconds + zone) / 1000, Number(fraction.padEnd(9, '0')));
  }
  if (Array.isArray(value) && value.length === 2) value = new Time(integer('int64', value[0], at), Number(integer('uint32', value[1], at)));
  if (!(value instanceof Time)) throw want(at, 'a time', value);
  if (value.ns >= 1e9) throw new RangeError(`${at}: ${value.ns} nanoseconds`);
  return value;
}

const fieldsOf = (type) => Object.entries(type());

function zero(type) {
  if (typeof type === 'function') return Object.fromEntries(fieldsOf(type).map(([name, t]) => [name, zero(t)]));
  if (isInteger(type)) return 0n;
  if (type.array) return Array.from({ length: type.length }, () => zero(type.array));
  return { float64: 0, float32: 0, bool: false, string: '', time: new Time(-62135596800) }[type] ?? null;
}

function read(type, value, at) {
  if (value === null) return zero(type);
  if (isInteger(type)) return integer(type, value, at);
  if (Array.isArray(type)) {
    if (!Array.isArray(value)) throw want(at, 'a list', value);
    return value.map((v) => read(type[0], v, `${at}[]`));
  }
  if (type.array) {
    if (!Array.isArray(value) || value.length > type.length) throw want(at, `a list of ${type.length}`, value);
    return zero(type).map((z, i) => (i < value.length ? read(type.array, value[i], `${at}[]`) : z));
  }
  if (type.pointer) return read(type.pointer, value, at);
  const isMap = typeof value === 'object' && value.constructor === Object;
  if (type.map) {
    if (!isMap) throw want(at, 'a map', value);
    return new Map(Object.entries(value).map(([k, v]) => [isInteger(type.keys) ? integer(type.keys, BigInt(k), at) : k, read(type.map, v, `${at}[]`)]));
  }
  if (typeof type === 'function') return readMessage(type, value, isMap, at);
  switch (type) {
    case 'float64':
      return float(type, value, at);
    case 'float32':
      value = float(type, value, at);
      if (!Object.is(Math.fround(value), value)) throw new RangeError(`${at}: ${value} is no ${type}`);
      return value;
    case 'bool':
      if (typeof value !== 'boolean') throw want(at, type, value);
      return value;
    case 'string':
      if (value instanceof Uint8Array) return utf8.decode(value);
      if (typeof value !== 'string') throw want(at, type, value);
      return value;
    case 'bytes':
      if (typeof value === 'string') return new TextEncoder().encode(value);
      if (!(value instanceof Uint8Array)) throw want(at, type, value);
      return new Uint8Array(value); // not a part of what was read from the socket
    case 'time':
      return time(value, at);
    case 'any':
      return any(value, at);
  }
  throw new Error(`no type ${type}`);
}

// readMessage takes a map, or an array of all fields or none.
function readMessage(type, value, isMap, at) {
  const fields = fieldsOf(type);
  if (Array.isArray(value) && (value.length === 0 || value.length === fields.length)) {
    value = Object.fromEntries(value.map((v, i) => [fields[i][0], v]));
  } else if (!isMap) {
    throw want(at, 'a map', value);
  }
  return Object.fromEntries(fields.map(([name, t]) => [name, read(t, value[name] ?? null, name)]));
}

function any(value, at) {
  if (value instanceof ExtData) throw new TypeError(`${at}: the extension ${value.type}`);
  if (value instanceof Time) return time(value, at);
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map((v) => any(v, at));
  if (value?.constructor === Object) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, any(v, at)]));
  return typeof value === 'number' && Number.isInteger(value) && !Object.is(value, -0) ? BigInt(value) : value;
}

// write returns the bytes of a value. Lists and maps are put together here: the keys of an object, and so of
// a map that @msgpack/msgpack writes, are strings.
function write(type, value, at) {
  if (value === null || value === undefined) return encoder.encode(null);
  if (isInteger(type)) return encoder.encode(integer(type, value, at));
  if (type.pointer) return write(type.pointer, value, at);
  const item = Array.isArray(type) ? type[0] : type.array ?? type.map;
  if (Array.isArray(type) || type.array) return join(0x90, 0xdd, value.length, value.map((v) => write(item, v, `${at}[]`)));
  if (type.map) return join(0x80, 0xdf, value.size, [...value].flatMap(([k, v]) => [write(type.keys, k, at), write(item, v, `${at}[]`)]));
  if (typeof type !== 'function') return encoder.encode(value);
  const fields = fieldsOf(type).filter(([name]) => name in value);
  return join(0x80, 0xdf, fields.length, fields.flatMap(([name, t]) => [encoder.encode(name), write(t, value[name], name)]));
}

// join puts the header of a list or map before its items.
function join(fix, long, n, items) {
  const header = n < 16 ? Buffer.of(fix | n) : Buffer.of(long, n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
  return Buffer.concat([header, ...items]);
}
