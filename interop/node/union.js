// The tags of unions: unsigned varints in their shortest form.

// readTag returns the tag of a payload and what is behind it.
export function readTag(payload) {
  let tag = 0n;
  for (let i = 0; i < payload.length && i < 10; i++) {
    tag |= BigInt(payload[i] & 0x7f) << BigInt(7 * i);
    if (payload[i] >= 0x80) continue;
    if (payload[i] === 0 && i > 0) throw new Error('a tag that is not in its shortest form');
    if (tag >= 2n ** 64n) break;
    return { tag, rest: payload.subarray(i + 1) };
  }
  throw new Error('no tag of 64 bits');
}

// withTag puts a tag before a payload.
export function withTag(tag, payload) {
  const bytes = [];
  for (let rest = BigInt(tag); ; rest >>= 7n) {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    if (rest <= 0x7fn) return Buffer.concat([Buffer.from(bytes), payload]);
  }
}
