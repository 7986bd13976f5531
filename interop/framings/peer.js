// Does what the tests in tests/interop ask for, a line each, over a framing from npm: tests/interop/doc.go says how.
//
//	node peer.js frame-stream          Uint16
//	node peer.js it-length-prefixed    Uvarint
import { on, once } from 'node:events';
import { createRequire } from 'node:module';
import net from 'node:net';
import readline from 'node:readline';
import * as lp from 'it-length-prefixed';
import { decode, encode } from '../node/fields.js';
import { Value } from '../node/sample.js';

const frame = createRequire(import.meta.url)('frame-stream');

// A framing reads frames from a socket, and writes one. What it does with one above limit is an error with that in its message.
const framings = {
  'frame-stream': {
    // By itself it is a stream of bytes, in which frames of none are lost: readableObjectMode keeps them.
    read: (socket, limit) => {
      const frames = frame.decode({ lengthSize: 2, maxSize: limit, readableObjectMode: true });
      frames.on('error', () => {}); // who reads it next has it
      socket.on('error', (err) => frames.destroy(err));
      return socket.pipe(frames);
    },
    write: (payload) => {
      const header = Buffer.alloc(2);
      header.writeUInt16BE(payload.length);
      return [header, payload];
    },
  },
  'it-length-prefixed': {
    read: (socket, limit) => lp.decode(socket, { maxDataLength: limit }),
    write: (payload) => [lp.encode.single(payload).subarray()],
  },
};

const framing = framings[process.argv[2]];
const MAX = 60000;

class Peer {
  constructor(socket, limit) {
    this.socket = socket.setNoDelay(true);
    socket.on('error', () => {}); // the reader has it
    this.frames = framing.read(socket, limit);
    this.count = 0;
  }

  async send(payload) {
    for (const part of framing.write(payload)) {
      if (!this.socket.write(part)) await new Promise((resolve) => this.socket.once('drain', resolve).once('close', resolve));
    }
  }

  async read(hear = () => {}) {
    for await (const payload of this.frames) {
      await hear(Buffer.from(payload.subarray()));
      this.count++;
    }
  }
}

const again = (payload) => encode(Value, decode(Value, payload));
const numbers = async (peer, n) => {
  for (let i = 0; i < n; i++) await peer.send(encode(Value, { Int: BigInt(i) }));
  peer.socket.end();
};

const cases = {
  echo: (peer) => peer.read((payload) => peer.send(again(payload))),
  takes: (peer) => peer.read((payload) => peer.send(payload)),
  bytes: async (peer, n) => {
    await peer.send(Buffer.alloc(Number(n), 'x'));
    await peer.read((payload) => peer.send(payload));
  },
  flood: (peer, n) => Promise.all([numbers(peer, Number(n)), peer.read((payload) => {
    if (decode(Value, payload).Int !== BigInt(peer.count)) throw new Error('another number');
  })]),
  finish: async (peer) => {
    await numbers(peer, 3);
    await peer.read();
  },
  close: (peer) => (peer.socket.end(), peer.read()),
  cut: (peer, hex) => (peer.socket.end(Buffer.from(hex, 'hex')), peer.read()),
};
cases.torn = cases.echo;

// run says how many messages came, and how the connection ended.
async function run(socket, name, argument) {
  const peer = new Peer(socket, name === 'takes' ? Number(argument) : MAX);
  const closed = new Promise((resolve) => (socket.closed ? resolve() : socket.once('close', resolve)));
  let how = 'clean';
  try {
    await cases[name](peer, argument);
    socket.end();
    await closed;
  } catch (err) {
    how = /too long|too large|maximum|larger/i.test(err.message) ? 'too large' : 'lost';
    socket.destroy();
  }
  return `${peer.count} ${how}`;
}

const tasks = readline.createInterface({ input: process.stdin });
tasks.on('close', () => process.exit()); // whatever a task waits for
for await (const line of tasks) {
  const [, role, port, name, argument] = /^(\S+) (\S+) (\S+) ?(.*)$/.exec(line);
  let said;
  if (role === 'client') {
    said = await run(net.connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true }), name, argument);
  } else {
    const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    server.on('connection', (socket) => socket.on('error', () => {})); // it may be reset before it is looked at
    const connections = on(server, 'connection');
    await once(server, 'listening');
    console.log(`READY ${server.address().port}`);
    do { // torn: connections until one has had a message
      const { value: [socket] } = await connections.next();
      said = await run(socket, name, argument);
    } while (name === 'torn' && said[0] === '0');
    server.close();
  }
  console.log(`DONE ${said}`);
}
