// What stands in hellos and goodbyes.
import { createHash } from 'node:crypto';
import { encode } from '@msgpack/msgpack';
import { readMap } from './map.js';

const MAGIC = Buffer.from('QSK\x01', 'latin1');
const KEYS = {
  proto: 'str', codec: 'str', max: 'uint', hb: 'uint', types: 'str', desc: 'uint', adm: 'bool', attr: 'attr', nl: 'str',
  sid: 'bin', try: 'uint', got: 'uint', new: 'bool', keep: 'uint', ses: 'uint',
};

// writeHello returns the bytes of a hello.
export function writeHello({ proto, codec, max, hb, text, admit, attributes }) {
  const hello = { proto, codec, max, hb, nl: '\r\n\r\n' };
  if (text) Object.assign(hello, { types: fingerprint(text), desc: Buffer.byteLength(text) });
  if (admit) hello.adm = true;
  if (attributes) hello.attr = attributes;
  const body = encode(hello);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([MAGIC, length, body]);
}

// readHello returns the peer's hello and its size, or nothing as long as more has to come. An error has the field wrong.
export function readHello(data) {
  for (let i = 0; i < 3 && i < data.length; i++) {
    if (data[i] !== MAGIC[i]) throw wrong('magic', `want a hello, got the byte 0x${data[i].toString(16)}: the peer runs raw mode or another protocol`);
  }
  if (data.length < 4) return null;
  if (data[3] !== 1) throw wrong('version', `version differs: 1 here, ${data[3]} at the peer`);
  if (data.length < 8) return null;
  const size = data.readUInt32BE(4);
  if (size > 4096) throw wrong('hello', `hello of ${size} bytes, want at most 4096`);
  if (data.length < 8 + size) return null;
  let hello;
  try {
    hello = readMap(data.subarray(8, 8 + size), KEYS);
    if (!('max' in hello)) throw new Error('the key "max" is missing');
    for (const key of ['proto', 'codec']) {
      if (Buffer.byteLength(hello[key] ?? '') > 1024) throw new Error(`${key} is longer than 1024 bytes`);
    }
    if (hello.types && !/^[0-9a-f]{32}$/.test(hello.types)) throw new Error('types is no fingerprint');
    if (hello.desc > 65536) throw new Error(`desc is ${hello.desc}, want at most 65536`);
  } catch (err) {
    throw wrong('hello', `hello: ${err.message}`);
  }
  return { hello, size: 8 + size };
}

// compareHellos throws if the two ends cannot talk.
export function compareHellos(ours, theirs) {
  for (const key of ['proto', 'codec']) {
    if ((theirs[key] ?? '') !== ours[key]) throw wrong(key, `${key} differs: "${ours[key]}" here, "${theirs[key] ?? ''}" at the peer`);
  }
  const least = Math.min(100, ours.hb || 100);
  if (theirs.hb > 0 && theirs.hb < least) throw wrong('heartbeat', `the peer wants a heartbeat every ${theirs.hb} ms, want at least ${least}`);
}

export function fingerprint(text) {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

// writeGoodbye returns the body of one.
export function writeGoodbye({ full = false, reason = '', code = 0 }) {
  const body = { full };
  if (reason) body.reason = cut(reason, 1024);
  if (code) body.code = code;
  return encode(body);
}

// cut shortens a text at the end of a character.
function cut(text, bytes) {
  while (Buffer.byteLength(text) > bytes) text = [...text].slice(0, -1).join('');
  return text;
}

export function readGoodbye(body) {
  const { full = false, reason = '', code = 0 } = readMap(body, { full: 'bool', reason: 'str', code: 'uint' });
  checkReason(reason);
  if (code > 65535) throw new Error(`the code ${code}, want at most 65535`);
  return { full, reason, code };
}

// readGoingAway reads the body of a frame of kind 81. Its other keys are not known.
export function readGoingAway(body) {
  const { reason = '' } = readMap(body, { reason: 'str' });
  checkReason(reason);
  return reason;
}

function checkReason(reason) {
  if (Buffer.byteLength(reason) > 1024) throw new Error('a reason of more than 1024 bytes');
}

function wrong(field, message) {
  return Object.assign(new Error(message), { field });
}
