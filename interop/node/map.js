// The maps of hellos and control frames, which docs/wire.md wants read more strictly than
// @msgpack/msgpack does: it does not tell 1.0 from 1, and takes a key twice.

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// readMap returns what is in a map whose keys are str, if that is all of data. known says of
// which kind the values of some keys must be: 'str', 'uint', 'bool', 'bin' or 'attr', which is a map
// of str to str.
export function readMap(data, known) {
  const reader = new Reader(data);
  if (reader.kind() !== 'map') throw new Error(`${reader.kind()} where a map is expected`);
  const values = reader.map((key) => {
    const want = known[key];
    if (!want) return reader.skip(2);
    if (want === 'attr') return readAttributes(reader);
    const { kind, value } = reader.scalar();
    if (kind !== want) throw new Error(`${key}: ${kind} where a ${want} is expected`);
    return value;
  });
  if (reader.at !== data.length) throw new Error(`${data.length - reader.at} trailing bytes`);
  return Object.fromEntries(values);
}

// What is wrong with attributes is told without any of them: they may be secret.
function readAttributes(reader) {
  const begin = reader.at;
  if (reader.kind() !== 'map') throw new Error(`attr: ${reader.kind()} where a map is expected`);
  let shortest = 0;
  const values = reader.map((key) => {
    const { kind, value } = reader.scalar();
    if (kind !== 'str') throw new Error(`attr: ${kind} where a str is expected`);
    if (key === '') throw new Error('attr: an empty name');
    shortest += strSize(key) + strSize(value);
    return value;
  }, 'attr: the same name twice');
  if (values.size > 32) throw new Error(`${values.size} attributes, want at most 32`);
  shortest += values.size < 16 ? 1 : 3;
  if (shortest > 1536) throw new Error(`attributes of ${shortest} bytes, want at most 1536`);
  return { names: values.size, begin, values: Object.fromEntries(values) };
}

function strSize(text) {
  const n = Buffer.byteLength(text);
  return n + (n < 32 ? 1 : n < 256 ? 2 : 3);
}

class Reader {
  constructor(data) {
    this.data = Buffer.from(data.buffer, data.byteOffset, data.length);
    this.at = 0;
  }

  take(n) {
    if (this.at + n > this.data.length) throw new Error('the end inside a value');
    this.at += n;
    return this.data.subarray(this.at - n, this.at);
  }

  // kind names the format of the next value.
  kind() {
    if (this.at >= this.data.length) throw new Error('the end inside a value');
    const c = this.data[this.at];
    if (c <= 0x7f || (c >= 0xcc && c <= 0xcf)) return 'uint';
    if (c >= 0xe0) return 'int';
    if (c <= 0x8f || c === 0xde || c === 0xdf) return 'map';
    if (c <= 0x9f || c === 0xdc || c === 0xdd) return 'array';
    if (c <= 0xbf || (c >= 0xd9 && c <= 0xdb)) return 'str';
    if (c >= 0xd0 && c <= 0xd3) return this.data[this.at + 1] < 0x80 ? 'uint' : 'int';
    return { 0xc0: 'nil', 0xc1: 'reserved byte', 0xc2: 'bool', 0xc3: 'bool', 0xca: 'float', 0xcb: 'float', 0xc4: 'bin', 0xc5: 'bin', 0xc6: 'bin' }[c] ?? 'ext';
  }

  // length reads the head of a value that has one.
  length(fix, mask, wide) {
    const c = this.take(1)[0];
    if (fix >= 0 && (c & ~mask) === fix) return c & mask;
    const bytes = wide[c];
    return this.take(bytes).readUIntBE(0, bytes);
  }

  str() {
    const n = this.length(0xa0, 0x1f, { 0xd9: 1, 0xda: 2, 0xdb: 4 });
    return utf8.decode(this.take(n));
  }

  // scalar reads a value, of which the caller wants the kind and, if it is one that is used, the value.
  scalar() {
    const kind = this.kind();
    const c = this.data[this.at];
    switch (kind) {
      case 'str':
        return { kind, value: this.str() };
      case 'bool':
        this.at++;
        return { kind, value: c === 0xc3 };
      case 'bin':
        return { kind, value: this.take(this.length(-1, 0, { 0xc4: 1, 0xc5: 2, 0xc6: 4 })) };
      case 'uint':
        if (c <= 0x7f) return { kind, value: this.take(1)[0] };
        this.at++;
        return { kind, value: Number(this.take(1 << (c & 3)).reduce((n, b) => (n << 8n) | BigInt(b), 0n)) };
      default:
        return { kind };
    }
  }

  // map reads a map whose keys are str, and calls read for each value.
  map(read, twice = 'a key twice') {
    const n = this.length(0x80, 0x0f, { 0xde: 2, 0xdf: 4 });
    const values = new Map();
    for (let i = 0; i < n; i++) {
      if (this.kind() !== 'str') throw new Error(`${this.kind()} where a str is expected as a key`);
      const key = this.str();
      if (values.has(key)) throw new Error(twice);
      values.set(key, read(key));
    }
    return values;
  }

  // skip reads any value. depth is how deeply it is nested.
  skip(depth) {
    const kind = this.kind();
    if (kind === 'map' || kind === 'array') {
      if (depth > 100) throw new Error('nested deeper than 100 levels');
      let n = kind === 'map' ? 2 * this.length(0x80, 0x0f, { 0xde: 2, 0xdf: 4 }) : this.length(0x90, 0x0f, { 0xdc: 2, 0xdd: 4 });
      for (; n > 0; n--) this.skip(depth + 1);
    } else if (kind === 'reserved byte') {
      throw new Error('the reserved byte c1');
    } else if (kind === 'nil') {
      this.take(1);
    } else if (kind === 'float') {
      this.take(this.data[this.at] === 0xca ? 5 : 9);
    } else if (kind === 'ext') {
      const c = this.take(1)[0];
      this.take(1 + (c >= 0xd4 ? 1 << (c - 0xd4) : this.take(1 << (c - 0xc7)).readUIntBE(0, 1 << (c - 0xc7))));
    } else if (kind === 'int') {
      const c = this.take(1)[0];
      if (c < 0xe0) this.take(1 << (c - 0xd0));
    } else {
      this.scalar();
    }
  }
}
