// Does what the tests in tests/interop ask for, a line each, in named mode: tests/interop/doc.go says how.
import { on, once } from 'node:events';
import net from 'node:net';
import readline from 'node:readline';
import { ExtData, ExtensionCodec, encode as pack } from '@msgpack/msgpack';
import { accept, connect } from './conn.js';
import { Refused, RemoteError, Violation } from './errors.js';
import { decode, encode, Time } from './fields.js';
import { Value } from './sample.js';
import { readTag, withTag } from './union.js';

const VALUES = { proto: 'values/1', codec: 'msgpack' };
const BYTES = { proto: 'bytes/1', codec: 'raw' };
const description = (type) => `msgpack\nmessage Value\nstruct Value\n Int ${type}\n New string\n`;

const optionsOf = {
  bytes: () => BYTES,
  takes: (n) => ({ ...BYTES, max: Number(n) }),
  other: () => ({ ...VALUES, proto: 'values/2' }),
  union: () => ({ proto: 'events/1', codec: 'union(msgpack)' }),
  describe: (type) => ({ ...VALUES, text: description(type) }),
};

// What a program in JavaScript may send, most of it as @msgpack/msgpack writes it by itself.
const codec = new ExtensionCodec();
codec.register({ type: -1, encode: (v) => (v instanceof Time ? v.timestamp() : null), decode: () => null });
const big = (message) => pack(message, { useBigInt64: true, extensionCodec: codec });
const offers = {
  '2^31': () => big({ Int: 2 ** 31 }),
  '-2^31-1': () => big({ Int: -(2n ** 31n) - 1n }),
  '2^32': () => big({ Int: 2n ** 32n }),
  '2^53+1': () => big({ Int: 2n ** 53n + 1n }),
  '2^63-1': () => big({ Int: 2n ** 63n - 1n }),
  '-2^63': () => big({ Int: -(2n ** 63n) }),
  '2^63': () => big({ Int: 2n ** 63n }),
  'uint 2^63': () => big({ Uint: 2n ** 63n }),
  'uint 2^64-1': () => big({ Uint: 2n ** 64n - 1n }),
  'uint 2^64': () => encode(Value, { Uint: 2n ** 64n }), // pack would write 0 for it
  'uint -1': () => pack({ Uint: -1 }),
  'float 5 for an int': () => pack({ Int: 5 }, { forceIntegerToFloat: true }),
  'int 5 for a float': () => pack({ Float: 5 }),
  'int 2^53+1 for a float': () => big({ Float: 2n ** 53n + 1n }),
  '1.5': () => pack({ Float: 1.5 }),
  'time 32': () => pack({ Time: new Date(5000) }),
  'time 64': () => big({ Time: new Time(5, 999_999_999) }),
  'time 96': () => big({ Time: new Time(2n ** 34n, 1) }),
  'before 1970': () => big({ Time: new Time(-1, 999_999_999) }),
  'text for a time': () => pack({ Time: new Date(1577836800000).toISOString() }),
  'int for a time': () => pack({ Time: 5 }),
  'nil for each field': () => pack(Object.fromEntries(Object.keys(Value()).map((name) => [name, null]))),
  'no fields': () => pack({}),
  'nil for the message': () => pack(null),
  'nil in a list': () => pack({ List: [1, null] }),
  'str for bytes': () => pack({ Blob: 'é' }),
  'bin for text': () => pack({ Text: new TextEncoder().encode('é') }),
  'bin that is no UTF-8 for text': () => pack({ Text: Uint8Array.of(0xff) }),
  'text of four bytes': () => pack({ Text: '😀' }),
  'int for text': () => pack({ Text: 5 }),
  'int keys': () => encode(Value, { Keys: new Map([[1n, 'a'], [-1n, 'b']]) }),
  'int keys in an any': () => Buffer.concat([Buffer.from('81a3416e7981', 'hex'), pack(1), pack('a')]), // an object has keys of str
  'int keys for str keys': () => Buffer.concat([Buffer.from('81a34d617081', 'hex'), pack(1), pack(2)]),
  'an unknown key': () => pack({ Int: 5, New: ['x'] }),
  'an unknown extension for an unknown key': () => pack({ New: new ExtData(5, Uint8Array.of(1)), Int: 5 }),
  'an unknown extension in an any': () => pack({ Any: new ExtData(5, Uint8Array.of(1)) }),
  'list for a map': () => pack({ Map: [] }),
};

// again decodes a value and encodes it.
const again = (payload) => encode(Value, decode(Value, payload));

// echo sends back what comes, and ends when the peer has.
async function echo(conn, answer = again) {
  let n = 0;
  for await (const payload of conn.messages()) {
    const back = answer(payload);
    if (back) await conn.send(back), n++;
  }
  return n;
}

async function count(conn) {
  let n = 0;
  for await (const _ of conn.messages()) n++;
  return n;
}

async function flood(conn, size) {
  const send = async () => {
    for (let i = 0; i < size; i++) await conn.send(encode(Value, { Int: BigInt(i) }));
    conn.finish();
  };
  const sent = send();
  let n = 0;
  for await (const payload of conn.messages()) {
    if (decode(Value, payload).Int !== BigInt(n)) throw new Error(`got another number than ${n}`);
    n++;
  }
  await sent;
  return n;
}

// union sends a case that the peer does not have, and a Value, which is case 1. Other cases that come are skipped.
async function union(conn) {
  await conn.send(withTag(9, pack({ New: true })));
  await conn.send(withTag(1, encode(Value, { Int: 1n })));
  return echo(conn, (payload) => {
    const { tag, rest } = readTag(payload);
    return tag === 1n ? withTag(tag, again(rest)) : null;
  });
}

const raw = (payload) => payload;
const cases = {
  echo: (conn) => echo(conn),
  takes: (conn) => echo(conn, raw),
  send: async (conn, name) => {
    await conn.send(offers[name]());
    conn.finish();
    return count(conn);
  },
  flood: (conn, n) => flood(conn, Number(n)),
  finish: async (conn) => {
    for (let i = 0; i < 3; i++) await conn.send(encode(Value, { Int: BigInt(i) }));
    conn.finish();
    return count(conn);
  },
  close: async (conn) => {
    await conn.close();
    return 0;
  },
  cut: async (conn, hex) => {
    conn.write(Buffer.from(hex, 'hex'));
    conn.end();
    return count(conn);
  },
  bytes: async (conn, n) => {
    await conn.send(Buffer.alloc(Number(n), 'x'));
    return echo(conn, raw);
  },
  violate: async (conn, hex) => {
    conn.write(Buffer.from(hex, 'hex'));
    return count(conn);
  },
  idle: (conn) => echo(conn),
  union,
  describe: (conn) => echo(conn),
  other: (conn) => count(conn),
  torn: (conn) => echo(conn),
};

// run does a case with a connection that is being made, and says what has come of it.
async function run(name, argument, shaken) {
  let n = 0, conn;
  try {
    conn = await shaken;
    n = await cases[name](conn, argument);
    await conn.close();
    return `${n} clean`;
  } catch (err) {
    const code = conn && !(err instanceof RemoteError) ? conn.error?.code : err.code;
    await conn?.close();
    if (err instanceof RangeError || err instanceof TypeError) return 'cannot';
    if (err instanceof Refused || (err instanceof RemoteError && !code)) return `${n} refused`;
    if (err instanceof RemoteError) return `${n} code ${code}`;
    return err instanceof Violation ? `${n} violation` : `${n} lost`;
  }
}

async function listen() {
  const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  server.on('connection', (socket) => socket.on('error', () => {})); // it may be reset before it is looked at
  const connections = on(server, 'connection');
  await once(server, 'listening');
  console.log(`READY ${server.address().port}`);
  return { server, connections };
}

const tasks = readline.createInterface({ input: process.stdin });
tasks.on('close', () => process.exit()); // whatever a task waits for
for await (const line of tasks) {
  const [, role, port, name, argument] = /^(\S+) (\S+) (\S+) ?(.*)$/.exec(line);
  const options = optionsOf[name]?.(argument) ?? VALUES;
  let said;
  if (role === 'client') {
    said = await run(name, argument, connect(Number(port), '127.0.0.1', options));
  } else {
    const { server, connections } = await listen();
    do { // torn: connections until one has had a message
      const { value: [socket] } = await connections.next();
      said = await run(name, argument, accept(socket, options));
    } while (name === 'torn' && said[0] === '0');
    server.close();
  }
  console.log(`DONE ${said}`);
}
