// The messages of the tests, with the types of their Go fields.
export const Sample = () => ({
  Int: 'int64', Small: 'int8', Uint: 'uint64', Float: 'float64', Single: 'float32', Flag: 'bool', Text: 'string', Blob: 'bytes', Time: 'time',
  List: ['int64'], Pair: { array: 'int64', length: 2 }, Map: { map: 'int64', keys: 'string' }, Keys: { map: 'string', keys: 'int64' },
  Next: { pointer: Sample }, Any: 'any',
});

// Value has no float32: a Number is sent as a float64, which a float32 of Go does not take.
export const Value = () => ({
  Int: 'int64', Uint: 'uint64', Float: 'float64', Flag: 'bool', Text: 'string', Blob: 'bytes', Time: 'time',
  List: ['int64'], Map: { map: 'int64', keys: 'string' }, Keys: { map: 'string', keys: 'int64' }, Next: { pointer: Value }, Any: 'any',
});

export const Tick = () => ({ Symbol: 'string', Price: 'float64' });
