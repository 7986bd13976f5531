// Package pickle is a codec for Python's pickles of plain data, so that Go programs and those
// of a small Python package, a socket that behaves like a queue, are peers of each other
// without a change of the Python ones.
//
//	var Protocol = qsocket.Protocol[any]{Codec: pickle.Codec[any]()}
//
// Its frames are those of raw mode, which is that of a [qsocket.Protocol] without a Name, with
// the default Framing.
//
// # Trust
//
// PYTHON'S pickle.loads RUNS WHATEVER CODE THE PICKLE SAYS. A Python program that reads pickles
// from a socket is in the hands of everyone who can connect to it. THIS PACKAGE MAKES THE GO
// END SAFE, NOT THE PYTHON END: use it between programs that trust each other, on a network that others
// cannot reach.
//
// The decoder here runs nothing. It takes numbers, text, bytes, containers, dates and times, and refuses everything
// else by its name:
//
//	refused: os.system: not plain data
//
// Counts and lengths that lie, and nesting, cost nothing; decoding allocates at most 64 times
// the length of the payload and 64 KiB (see [MaxExpansion]). What remains is what methods
// UnmarshalText of types in T do.
//
// # Values
//
// None is nil, and zero for what has no nil, except for keys. For an any there come of Python's values
//
//	bool                 bool
//	int                  int64, or *big.Int if it does not fit
//	float                float64
//	str                  string
//	bytes, bytearray     []byte
//	list, tuple          []any
//	dict                 map[string]any if all keys are strs, otherwise map[any]any
//	set, frozenset       map[any]struct{}
//	datetime.datetime    time.Time
//	datetime.date        Date
//	datetime.time        TimeOfDay
//	datetime.timedelta   time.Duration
//	decimal.Decimal      Decimal
//
// Other types say themselves what they take: structs take dicts, maps without values (map[K]struct{}) take sets, slices take lists, tuples and sets,
// arrays take those of their length, and bytes if they are arrays of bytes, and types with MarshalText and
// UnmarshalText take strs. A number that does not fit, or that a float does not have, is an error.
//
// Structs are sent as dicts, arrays as tuples, slices as lists, maps as dicts with their keys in
// order, time.Time as an aware datetime. docs/pickle.md has the tables of both directions, and
// what is refused.
//
// # Structs
//
// The keys are the names of the fields, or those that tags say:
//
//	type Order struct {
//		ID    int64    `pickle:"id"`
//		Tags  []string `pickle:"tags,omitempty"` // left out if empty
//		Cache any      `pickle:"-"`              // not sent
//	}
//
// Fields of embedded structs are among those of the struct. A key that is no field is skipped
// (see [DisallowUnknownFields]), a field that is no key is zero, and a field that is there twice is an error.
package pickle
