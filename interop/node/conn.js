// A connection of a named protocol, after docs/wire.md, for clients and servers. There are no sessions.
import net from 'node:net';
import { Lost, Refused, RemoteError, Violation } from './errors.js';
import { compareHellos, fingerprint, readGoingAway, readGoodbye, readHello, writeGoodbye, writeHello } from './hello.js';

const CONTROL = 2 ** 31;
const GOODBYE = 1, HEARTBEAT = 2, CONFIRM = 3, EXTENSIONS = 0x80, DESCRIPTION = 0x80, GOING_AWAY = 0x81, ADMITTED = 0x82;
const NOTHING = 0, HALF = 1, FULL = 2; // of a goodbye

const DEFAULTS = {
  max: 1 << 20, // the longest payload that this end takes, in bytes
  hb: 15000, // ms of silence; 0: it does not matter
  text: '', // the description of the messages
  attributes: null, // what this end tells of itself
  admit: null, // (peer's hello) => '' or a reason to refuse it
  ahead: 64, // messages that are read before the program takes them
  handshakeTimeout: 10000, frameTimeout: 30000, closeTimeout: 5000, // ms
};

// connect resolves when the two ends agree.
export function connect(port, host, options) {
  return new Conn(net.connect({ port, host, allowHalfOpen: true, noDelay: true }), options).shaken;
}

// accept does the same with a socket of a server, which must have been created with allowHalfOpen.
export function accept(socket, options) {
  socket.setNoDelay(true);
  return new Conn(socket, options).shaken;
}

export class Conn {
  constructor(socket, options) {
    this.socket = socket;
    this.own = { ...DEFAULTS, ...options }; // proto and codec must be there
    this.buffer = Buffer.alloc(0); // bytes that are not parsed
    this.state = 'hello'; // then 'description', 'verdict', 'open', 'failing', 'over'
    this.said = this.heard = NOTHING;
    this.finished = false; // our side of the socket is closed
    this.confirmed = false; // the peer has taken all messages
    this.discarded = false; // a message of the peer was not taken
    this.goingAway = false;
    this.queue = []; // messages for the program
    this.error = null;
    this.wakers = []; // of those who wait for a change
    this.heardAt = this.saidAt = Date.now();
    this.frameSince = 0; // when the frame that is being read began
    this.since = Date.now(); // the handshake, then the close
    this.shaken = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    socket.on('data', (chunk) => this.read(chunk));
    socket.on('end', () => this.ended());
    socket.on('error', (err) => this.over(this.said === FULL || this.heard === FULL ? null : new Lost(err.message)));
    socket.on('close', () => this.over(null));
    socket.on('drain', () => this.wake());
    this.timer = setInterval(() => this.watch(), 20);
    if (socket.destroyed) queueMicrotask(() => this.over(new Lost('the connection was reset')));
    if (socket.connecting) socket.once('connect', () => this.write(writeHello(this.own)));
    else this.write(writeHello(this.own));
  }

  // send resolves when there is room for more. The peer may not read until its messages are, so read meanwhile.
  async send(payload) {
    if (payload.length > Math.min(this.peer.max, CONTROL - 1)) throw new RangeError(`message of ${payload.length} bytes, the peer takes ${this.peer.max}`);
    if (this.said || this.finished || this.state !== 'open') throw this.error ?? new Lost('sending has ended');
    if (!this.frame(payload.length, payload)) {
      while (this.socket.writableNeedDrain && this.state === 'open') await this.changed();
    }
  }

  // messages yields payloads until the peer says goodbye. It throws what has gone wrong.
  async *messages() {
    for (;;) {
      while (this.queue.length) {
        const payload = this.queue.shift();
        if (this.queue.length < this.own.ahead / 2 && this.socket.isPaused()) {
          this.heardAt = Date.now(); // the peer was not silent, it was not read
          if (this.frameSince) this.frameSince = Date.now();
          this.socket.resume();
        }
        yield payload;
      }
      if (this.error) throw this.error;
      if (this.heard || this.state === 'over') return;
      await this.changed();
    }
  }

  // finish says that no more messages come from here.
  finish() {
    this.goodbye({}, HALF);
  }

  // close says that nothing is wanted any longer, and resolves, when all is over, to whether the peer has taken everything.
  async close(reason = '', code = 0) {
    if (this.queue.length) this.discarded = true;
    this.queue = [];
    this.goodbye({ reason, code }, FULL);
    this.socket.resume();
    while (this.state !== 'over') await this.changed();
    return this.confirmed;
  }

  // What is sent.

  frame(header, ...parts) {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(header);
    return this.write(Buffer.concat([head, ...parts]));
  }

  write(data) {
    this.saidAt = Date.now();
    return this.finished || this.socket.destroyed || this.socket.write(data);
  }

  control(kind, body = Buffer.alloc(0)) {
    this.frame(CONTROL + 1 + body.length, Buffer.of(kind), body);
  }

  goodbye({ reason, code }, level) {
    if (this.said >= level || this.finished || this.state === 'over') return;
    this.said = level;
    this.since = Date.now();
    this.control(GOODBYE, writeGoodbye({ full: level === FULL, reason, code }));
    this.part();
  }

  // part closes the write side if nothing is left to say.
  part() {
    if (this.said && this.heard) this.end();
  }

  end() {
    if (this.finished) return;
    this.finished = true;
    this.socket.end();
  }

  // What comes.

  read(chunk) {
    this.heardAt = Date.now();
    if (this.state === 'failing' || this.state === 'over') return; // reads on without a look
    this.buffer = this.buffer.length ? Buffer.concat([this.buffer, chunk]) : chunk;
    try {
      if (this.state === 'hello') this.readHello();
      let at = 0;
      while (!['hello', 'failing', 'over'].includes(this.state)) {
        const size = this.frameSize(at);
        if (size < 0) break;
        const frame = this.buffer.subarray(at + 4, at + 4 + size);
        at += 4 + size;
        this.hear(this.buffer[at - size - 4] >= 0x80, frame);
      }
      this.buffer = this.buffer.subarray(at);
      this.frameSince = this.buffer.length ? this.frameSince || Date.now() : 0;
      if (this.queue.length >= this.own.ahead) this.socket.pause();
    } catch (err) {
      this.fail(err);
    }
    this.wake();
  }

  // frameSize returns the length of the frame that begins at a place, or -1 if it is not all there.
  frameSize(at) {
    if (this.buffer.length < at + 4) return -1;
    const header = this.buffer.readUInt32BE(at);
    const size = header % CONTROL;
    if (header >= CONTROL) {
      if (size < 1 || size > 4096) throw new Violation(`control frame of ${size} bytes, want 1 to 4096`);
    } else {
      if (this.heard && this.state === 'open') throw new Violation(`message of ${size} bytes after goodbye`);
      if (size > this.own.max) throw Object.assign(new Violation(`message of ${size} bytes, want at most ${this.own.max}`), { code: 4 });
    }
    return this.buffer.length < at + 4 + size ? -1 : size;
  }

  readHello() {
    const got = readHello(this.buffer);
    if (!got) return;
    this.buffer = this.buffer.subarray(got.size);
    this.peer = got.hello;
    compareHellos(this.own, this.peer);
    const { types, desc } = this.peer;
    if (this.own.text && types && desc && types !== fingerprint(this.own.text)) {
      this.state = 'description';
      const text = Buffer.from(this.own.text);
      for (let i = 0; i < text.length; i += 4095) this.control(DESCRIPTION, text.subarray(i, i + 4095));
      this.description = { parts: [], size: 0 };
    } else {
      this.judge();
    }
  }

  // describe reads a part of the peer's description. What it means is left to the peer's judgement.
  describe(kind, body) {
    if (kind !== DESCRIPTION || !body.length) throw new Refused('want a part of the description', 'hello');
    const { parts } = this.description;
    parts.push(body);
    this.description.size += body.length;
    if (this.description.size > this.peer.desc || parts.length > Math.ceil(this.peer.desc / 4095) + 64) throw new Refused('a longer description than the hello says', 'hello');
    if (this.description.size < this.peer.desc) return;
    if (fingerprint(Buffer.concat(parts)) !== this.peer.types) throw new Refused('another description than the hello says', 'hello');
    this.judge();
  }

  // judge says our verdict, and waits for the peer's.
  judge() {
    if (this.own.admit) {
      const reason = this.own.admit(this.peer);
      if (reason) throw Object.assign(new Refused(reason, 'refused'), { code: 8 });
      this.control(ADMITTED);
    }
    if (this.peer.adm) this.state = 'verdict';
    else this.open();
  }

  open() {
    this.state = 'open';
    this.since = 0;
    this.resolve(this);
  }

  hear(isControl, frame) {
    if (this.state !== 'open') return this.hearEarly(isControl, frame);
    if (!isControl) {
      if (this.said === FULL) this.discarded = true;
      else this.queue.push(frame);
      return;
    }
    const kind = frame[0], body = frame.subarray(1);
    switch (kind) {
      case GOODBYE:
        return this.hearGoodbye(body);
      case HEARTBEAT:
      case CONFIRM:
        if (body.length) throw new Violation(`control frame of kind ${kind} with a body`);
        if (kind === CONFIRM && !this.said) throw new Violation('confirm before our goodbye');
        if (kind === CONFIRM) this.confirmed = true;
        return;
      case GOING_AWAY:
        check(() => readGoingAway(body));
        this.goingAway = true;
        return;
    }
    if (kind < EXTENSIONS) throw new Violation(`control frame of kind ${kind}`);
  }

  // hearEarly reads what comes in place of a description or a verdict.
  hearEarly(isControl, frame) {
    if (this.heard) return;
    const kind = isControl ? frame[0] : -1;
    if (kind === GOODBYE) {
      const goodbye = check(() => readGoodbye(frame.subarray(1)));
      if (!goodbye.reason && !goodbye.code) throw new Refused('a goodbye without a reason', 'hello');
      this.heard = FULL;
      this.error = new RemoteError(goodbye);
      this.reject(this.error);
      this.goodbye({}, FULL);
      return;
    }
    if (this.state === 'description') return this.describe(kind, frame.subarray(1));
    if (kind !== ADMITTED || frame.length > 1) throw new Refused('want a verdict', 'hello');
    this.open();
  }

  hearGoodbye(body) {
    const goodbye = check(() => readGoodbye(body));
    const level = goodbye.full ? FULL : HALF;
    if (this.heard >= level) throw new Violation('goodbye after goodbye');
    const first = !this.heard;
    this.heard = level;
    if (goodbye.reason || goodbye.code) this.error ??= new RemoteError(goodbye);
    if (first && !this.discarded) this.control(CONFIRM);
    if (level === FULL) {
      this.since = Date.now();
      this.goodbye({}, FULL);
    }
    this.part();
  }

  ended() {
    if (this.state === 'failing') return this.over(this.error);
    if (this.state === 'hello') return this.fail(new Refused('no hello: the connection ended', 'hello'));
    if (this.heard === FULL || this.said === FULL || (this.heard && this.said)) {
      this.end();
      return this.over(null);
    }
    this.reset(new Lost('the connection ended without a goodbye'));
  }

  // How it ends when something is wrong.

  fail(err) {
    if (this.state === 'open' && (this.heard === FULL || this.said === FULL)) return this.over(null, true); // too late to matter
    const early = this.state !== 'open';
    if (early && !(err instanceof Refused)) err = Object.assign(new Refused(err.message, err.field ?? 'hello'), { code: err.code });
    if (this.finished || this.socket.readableEnded) return this.reset(err);
    this.error = err;
    if (err.field !== 'magic') this.goodbye({ reason: err.message, code: err.code ?? (early ? 0 : 3) }, FULL);
    this.state = 'failing';
    this.since = Date.now();
    this.reject(err);
    this.end();
    this.socket.resume();
    this.wake();
  }

  reset(err) {
    this.socket.resetAndDestroy();
    this.over(err);
  }

  over(err, destroy = false) {
    if (this.state === 'over') return;
    this.state = 'over';
    this.error ??= err;
    clearInterval(this.timer);
    this.reject(this.error ?? new Refused('no hello: the connection ended', 'hello'));
    if (destroy) this.socket.destroy();
    this.wake();
  }

  // watch looks at the clock.
  watch() {
    const now = Date.now();
    const paused = this.socket.isPaused();
    if (this.state === 'hello' || this.state === 'description' || this.state === 'verdict') {
      if (now - this.since > this.own.handshakeTimeout) this.reset(new Refused('no hello in time', 'hello'));
      return;
    }
    const limit = this.state === 'failing' && this.error instanceof Refused ? 1000 : this.own.closeTimeout; // a refused peer gets a second to read why
    if ((this.said === FULL || this.heard === FULL || this.state === 'failing') && now - this.since > limit) return this.reset(null);
    if (this.state !== 'open') return;
    const { hb = 0 } = this.peer;
    if (hb && this.said !== FULL && !this.finished && now - this.saidAt >= hb / 2) this.control(HEARTBEAT);
    if (paused) return;
    if (this.frameSince && now - this.frameSince > this.own.frameTimeout) return this.fail(Object.assign(new Lost('a frame was not complete in time'), { code: 6 }));
    if (this.own.hb && now - this.heardAt > 2 * this.own.hb) this.reset(new Lost(`the peer is silent for ${now - this.heardAt} ms`));
  }

  changed() {
    return new Promise((resolve) => this.wakers.push(resolve));
  }

  wake() {
    for (const resolve of this.wakers.splice(0)) resolve();
  }
}

// check turns what is wrong with a map into a violation.
function check(read) {
  try {
    return read();
  } catch (err) {
    throw new Violation(err.message);
  }
}
