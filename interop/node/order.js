// A client in a named protocol: node order.js PORT
import { connect } from './conn.js';
import { decode, encode, Time } from './fields.js';

const Order = () => ({ ID: 'uint64', Price: 'float64', Placed: 'time', Note: { pointer: 'string' }, Blob: 'bytes' });

const conn = await connect(Number(process.argv[2]), '127.0.0.1', { proto: 'orders/1', codec: 'msgpack' });
await conn.send(encode(Order, {
  ID: 2n ** 53n + 1n, // a BigInt: a Number would be rounded
  Price: 5,
  Placed: new Time(1767323045, 123456789), // a Date has no nanoseconds
  Note: null,
  Blob: Uint8Array.of(0xff), // a string would be sent as text
}));
for await (const payload of conn.messages()) {
  const { ID, Price, Placed, Note, Blob } = decode(Order, payload);
  console.log(`${ID} ${Price} ${Placed.seconds} ${Placed.ns} ${Note} ${Blob === null}`);
  break;
}
if (!(await conn.close())) throw new Error('the peer has not confirmed the order');
