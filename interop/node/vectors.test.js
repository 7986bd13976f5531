// How connections begin, go on and end, as docs/wire-vectors.json says, played to this implementation.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { accept, connect } from './conn.js';
import { Lost, Refused, RemoteError, Violation } from './errors.js';
import { fingerprint, readGoodbye, readHello, writeGoodbye } from './hello.js';

const vectors = JSON.parse(readFileSync(new URL('../../docs/wire-vectors.json', import.meta.url)));
const TEXT = { proto: 'text/1', codec: 'text' };
const TICKS = { proto: 'ticks/1', codec: 'msgpack', hb: 0 };
const unhex = (hex) => Buffer.from(hex, 'hex');
const hello = unhex('51534b010000001e83a570726f746fa6746578742f31a5636f646563a474657874a36d617801');

// play connects a Conn, as client or server, to a socket that the test has.
async function play(options, role, use) {
  const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  const accepted = new Promise((resolve) => server.once('connection', resolve));
  let shaken, socket;
  if (role === 'client') {
    shaken = connect(port, '127.0.0.1', options);
    socket = await accepted;
  } else {
    socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    shaken = accepted.then((s) => accept(s, options));
  }
  const heard = [];
  const ended = new Promise((resolve) => socket.on('end', resolve).on('error', resolve));
  socket.on('data', (chunk) => heard.push(chunk));
  const outcome = shaken.then((conn) => ({ conn }), (error) => ({ error }));
  try {
    return await use({ socket, ended, outcome, heard: () => Buffer.concat(heard) });
  } finally {
    socket.destroy();
    server.close();
    (await outcome).conn?.reset(null);
  }
}

// frames splits what came into the hello and what is behind it.
function framesOf(data) {
  const frames = [];
  for (let at = readHello(data)?.size ?? data.length; at + 4 <= data.length; ) {
    const size = data.readUInt32BE(at) % 2 ** 31;
    const body = data.subarray(at + 4, at + 4 + size);
    frames.push(data[at] < 0x80 ? { message: body.toString('hex') } : meaning(body));
    at += 4 + size;
  }
  return frames;
}

// meaning is what a control frame says.
function meaning(body) {
  const names = { 2: 'heartbeat', 3: 'confirm', 0x80: 'description', 0x81: 'going away', 0x82: 'admitted' };
  return body[0] === 1 ? { goodbye: readGoodbye(body.subarray(1)) } : { kind: names[body[0]] ?? (body[0] >= 0x80 ? 'extension' : 'reserved') };
}

for (const role of ['client', 'server']) {
  for (const [list, options] of [['hellos', TEXT], ['exchanges', { ...TICKS, text: vectors.descriptions[0].text }]]) {
    for (const v of vectors[list]) {
      if (v.outcome === 'types') continue; // the judgement is left to the peer
      test(`${list}, ${role}: ${v.name}`, () => play(options, role, async ({ socket, ended, outcome, heard }) => {
        socket.write(unhex(v.hex));
        if (v.cut) socket.end();
        const { error } = await outcome;
        if (v.outcome === 'taken') return assert.ifError(error);
        if (v.outcome === 'remote') return assert(error instanceof RemoteError, error);
        assert.equal(error.field, v.outcome);
        await ended;
        const told = framesOf(heard()).some((f) => f.goodbye?.reason);
        assert.equal(told, v.told, `told ${told}`);
      }));
    }
  }

  for (const v of vectors.violations) {
    test(`violations, ${role}: ${v.name}`, () => play(TEXT, role, async ({ socket, ended, outcome, heard }) => {
      socket.write(Buffer.concat([hello, unhex(v.hex)]));
      if (v.cut) socket.end();
      const { conn } = await outcome;
      let error = null;
      try {
        for await (const _ of conn.messages());
        await conn.close();
      } catch (err) {
        error = err;
      }
      const frames = await ended.then(() => framesOf(heard()));
      if (v.outcome === 'clean') return assert.ifError(error);
      assert(v.outcome === 'torn' ? error instanceof Lost : error instanceof Violation, `got ${error}`);
      assert.equal(frames.find((f) => f.goodbye?.code)?.goodbye.code, v.code);
    }));
  }
}

// What is legal breaks nothing.
for (const v of vectors.controls.filter((v) => ['heartbeat', 'going away', 'admitted', 'extension'].includes(v.kind))) {
  test(`controls: ${v.name}`, () => play(TEXT, 'server', async ({ socket, outcome }) => {
    socket.write(Buffer.concat([hello, unhex(v.hex), unhex('00000000')]));
    socket.end();
    const { conn } = await outcome;
    for await (const payload of conn.messages()) return assert.equal(payload.length, 0);
    assert.fail('no message');
  }));
}

test('controls', () => {
  for (const v of vectors.controls) {
    const body = unhex(v.hex).subarray(4);
    const got = meaning(body);
    if (v.kind !== 'goodbye') {
      if (!['ack', 'ask'].includes(v.kind)) assert.equal(got.kind, v.kind, v.name);
      continue;
    }
    const want = { full: v.full ?? false, reason: v.reason ?? '', code: v.code ?? 0 };
    assert.deepEqual(got.goodbye, want, v.name);
    assert.deepEqual(readGoodbye(writeGoodbye(want)), want, v.name);
  }
});

// Each row of the table of docs/wire.md on the end.
for (const v of vectors.ends) {
  test(`ends: said ${v.said}, heard ${v.heard}, now ${v.comes}`, () => play(TEXT, 'server', async ({ socket, ended, outcome, heard }) => {
    const HALF = unhex('800000020180'), FULL = unhex('800000080181a466756c6cc3');
    socket.write(hello);
    const { conn } = await outcome;
    const step = () => new Promise((resolve) => setTimeout(resolve, 10)); // what comes from loopback is read by then, or the next step reads it
    if (v.said === 'half') conn.finish();
    else if (v.said === 'full') conn.close().catch(() => {});
    if (v.heard !== 'nothing') socket.write(v.heard === 'half' ? HALF : v.said === 'half' ? Buffer.concat([HALF, FULL]) : FULL);
    while (conn.heard !== ['nothing', 'half', 'full'].indexOf(v.heard)) await step();
    const before = framesOf(await until(heard, conn)).length;
    if (v.comes === 'FIN') socket.end();
    else socket.write(unhex(v.hex));
    if (['FIN', 'over', 'torn', 'violation'].includes(v.then)) await ended;
    else await until(heard, conn);
    if (v.then === 'violation') socket.end();
    for (let i = 0; i < 100 && ['over', 'violation', 'torn'].includes(v.then) && conn.state !== 'over'; i++) await step();
    const sent = framesOf(heard()).slice(before).map((f) => (f.kind ?? (f.goodbye.code ? `full, ${f.goodbye.code}` : 'full')));
    if (v.said === 'nothing' || v.then !== 'violation') assert.equal(sent.join(', '), v.sends);
    const state = { violation: conn.error instanceof Violation, torn: conn.error instanceof Lost }[v.then];
    if (state !== undefined) assert(state, `got ${conn.error}`);
    else assert.ifError(conn.error);
    if (v.then === 'open') assert(!conn.finished && conn.state === 'open');
    if (v.then === 'FIN') assert(conn.finished);
    if (v.then === 'over') assert.equal(conn.state, 'over');
  }));
}

// until returns what was heard when nothing has come for a while.
async function until(heard) {
  let n = -1;
  while (heard().length !== n) {
    n = heard().length;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return heard();
}

// The server of each conversation plays to a client of ours, and its client to a server of ours.
for (const ours of ['client', 'server']) {
  for (const v of vectors.conversations) {
    const bad = v.steps.some((s) => s.from === ours && /what is|heartbeat|extension|going away/.test(s.does ?? '')); // this implementation says nothing of the kind
    if (bad) continue;
    test(`conversations, ${ours}: ${v.name}`, () => play(optionsFor(v, ours), ours === 'client' ? 'client' : 'server', async ({ socket, ended, outcome, heard }) => {
      const steps = v.steps.filter((s, i) => !(i < 2)); // but for the hellos
      const theirs = v.steps.slice(0, 2).find((s) => s.from !== ours);
      socket.write(unhex(theirs.hex));
      let done = Promise.resolve(), error = null, closing = false;
      const first = v.outcome === 'refused' ? null : (await shaken(steps, socket, outcome, ours)).conn;
      if (v.outcome === 'refused') {
        for (const s of steps) if (s.from !== ours) socket.write(unhex(s.hex));
        ({ error } = await outcome);
        assert(ours === 'client' ? error instanceof RemoteError || error instanceof Refused : error instanceof Refused, `got ${error}`);
        return;
      }
      const reading = (async () => {
        for await (const _ of first.messages()) ;
      })().catch((err) => { error = err; });
      const want = [];
      for (const s of steps) {
        if (s.from !== ours) {
          socket.write(unhex(s.hex));
          while (first.socket.bytesRead < socket.bytesWritten && first.state !== 'over') await new Promise((resolve) => setTimeout(resolve, 2));
          continue;
        }
        want.push(...framesOf(Buffer.concat([hello, unhex(s.hex)])));
        const answers = /^0000001b/.test(s.hex) && ours === 'server';
        if (s.does?.includes('send') || answers) await first.send(unhex(s.hex).subarray(4, 31)).catch(() => {});
        const goodbye = framesOf(Buffer.concat([hello, unhex(s.hex)])).find((f) => f.goodbye)?.goodbye;
        if (goodbye && !goodbye.full) first.finish();
        else if (goodbye && !closing) (closing = true), (done = first.close(goodbye.reason, goodbye.code));
        while (framesOf(heard()).length < want.length && first.state === 'open') await new Promise((resolve) => setTimeout(resolve, 2));
      }
      socket.end();
      await Promise.all([ended, done, reading]);
      // The words of a reason of the library's own are free, the verdict was part of the handshake, and heartbeats go by the clock.
      const words = (f) => (f.goodbye?.code > 0 && f.goodbye.code < 1000 ? { goodbye: { ...f.goodbye, reason: '' } } : f);
      const plain = (frames) => frames.filter((f) => !['heartbeat', 'admitted'].includes(f.kind)).map((f) => JSON.stringify(words(f))).sort();
      assert.deepEqual(plain(framesOf(heard())), plain(want));
      const told = ours === 'client' ? v.outcome === 'remote' : v.steps.some((s) => s.from === 'client' && s.does?.includes('code'));
      const violated = ours === 'server' && v.steps.some((s) => s.from === 'client' && /violation|too long/.test(s.does ?? ''));
      if (violated) assert(error instanceof Violation, `got ${error}`);
      else if (told) assert(error instanceof RemoteError, `got ${error}`);
      else assert.ifError(error);
    }));
  }
}

// A message behind our full goodbye is discarded, and that costs the peer the confirm.
test('a message that is discarded', () => play(TEXT, 'server', async ({ socket, ended, outcome, heard }) => {
  socket.write(hello);
  const { conn } = await outcome;
  const closed = conn.close();
  socket.end(unhex('0000000161800000080181a466756c6cc38000000103'));
  assert.equal(await closed, true); // the peer has taken all of ours
  await ended;
  assert.deepEqual(framesOf(heard()), [{ goodbye: { full: true, reason: '', code: 0 } }]);
}));

// shaken plays what belongs to the handshake.
async function shaken(steps, socket, outcome) {
  const verdict = steps.findIndex((s) => /^8000000182/.test(s.hex));
  if (verdict >= 0) {
    const [s] = steps.splice(verdict, 1);
    if (s.from === 'server') socket.write(unhex(s.hex));
  }
  return outcome;
}

function optionsFor(v, ours) {
  const options = { ...TICKS };
  if (ours === 'client') {
    if (v.name.startsWith('another version')) options.proto = 'ticks/2';
    return options;
  }
  options.max = readHello(unhex(v.steps[0].hex)).hello.max;
  const admits = v.steps.find((s) => s.from === 'server' && /a361646dc3/.test(s.hex));
  if (admits) options.admit = () => (v.outcome === 'refused' ? 'no such token' : '');
  return options;
}

test('descriptions', () => {
  for (const v of vectors.descriptions) {
    assert.equal(fingerprint(v.text), v.fingerprint);
    const parts = framesOf(Buffer.concat([hello, unhex(v.frames)]));
    assert(parts.every((p) => p.kind === 'description'));
  }
});
