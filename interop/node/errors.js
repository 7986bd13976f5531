// What goes wrong with a connection.

// The two ends cannot talk. field says what is wrong, as in docs/wire-vectors.json.
export class Refused extends Error {
  constructor(message, field) {
    super(message);
    this.field = field;
  }
}
// The peer has ended the connection for a reason, or refuses this end.
export class RemoteError extends Error {
  constructor({ reason, code }) {
    super(reason || `code ${code}`);
    this.code = code;
  }
}
// The peer has broken the rules of docs/wire.md.
export class Violation extends Error {}
// The connection has ended without a goodbye, or is given up.
export class Lost extends Error {}
