package qsocket

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Union is the codec of a sum type: T is an interface, and each of the types
// that may be sent as a T is a [Case] with a tag of its own.
//
//	qsocket.Union(
//		qsocket.Case[Event](1, qsocket.Msgpack[Placed]()),
//		qsocket.Case[Event](2, qsocket.Msgpack[*Filled]()),
//		qsocket.SkipUnknown[Event](), // of newer peers
//	)
//
// A payload is the tag, as a base-128 varint (encoding/binary), followed by what
// the codec of the case makes of the value. Tags are what the two ends know the
// cases by: never give the tag of a case that was dropped to another.
//
// Each case may have another codec. A Union is stateless if all of them are;
// cases with [Gob] have a stream each. Its name is "union(…)" with the
// different names of the cases' codecs in the order of the tags: the first case
// with another codec changes it, and peers that know the old one refuse the
// connection.
//
// A value is encoded by the case of its exact type: a Placed by that of Placed, and a
// *Placed by that of *Placed. Any other type is a [*CodecError], and so are a nil
// T and a nil pointer, or one to nil, both ways: receivers need not check for nil.
// So is a tag that is not known, as a newer peer may send it, unless there is [SkipUnknown] or
// [Otherwise]. A protocol that is to grow needs one of them from its first version on: it is
// the receivers of today that have to live with the cases of tomorrow.
//
// A Protocol with a type in it that the codec of its case cannot carry is refused (see
// [Protocol]).
//
// Union panics, and says which, if a tag or a type is there twice, if a Variant is
// nil, or if there are no cases.
func Union[T any](cases ...Variant[T]) Codec[T] {
	u := &unionCodec[T]{}
	for _, v := range cases {
		if v == nil {
			panic(fmt.Sprintf("qsocket: Union of %v: a Variant is nil", reflect.TypeFor[T]()))
		}
		v.addTo(u)
	}
	if len(u.cases) == 0 {
		panic(fmt.Sprintf("qsocket: Union of %v without a Case", reflect.TypeFor[T]()))
	}
	slices.SortFunc(u.cases, func(a, b unionCase[T]) int {
		if a.tag() < b.tag() {
			return -1
		}
		return 1
	})
	var names []string
	u.stateless, u.resets = true, true
	for _, c := range u.cases {
		if !slices.Contains(names, c.codecName()) {
			names = append(names, c.codecName())
		}
		u.stateless = u.stateless && c.isStateless()
		u.resets = u.resets && c.canReset()
	}
	u.schema = sync.OnceValues(u.describe)
	u.name = "union(" + strings.Join(names, ",") + ")"
	return u
}

// Variant is a part of a [Union]: a [Case], [SkipUnknown] or [Otherwise].
type Variant[T any] interface {
	addTo(u *unionCodec[T])
}

// Case is the part of a [Union] for values of type V, which are sent as the tag
// and what codec makes of them. V is a type with methods such that it implements
// T, or a pointer to one; it is not an interface itself. What arrives is of
// type V again.
//
// Case panics if V does not implement T or codec is nil.
func Case[T, V any](tag uint64, codec Codec[V]) Variant[T] {
	t, v := reflect.TypeFor[T](), reflect.TypeFor[V]()
	switch {
	case t.Kind() != reflect.Interface:
		panic(fmt.Sprintf("qsocket: Case %d: %v is not an interface, so it has no cases", tag, t))
	case v.Kind() == reflect.Interface:
		panic(fmt.Sprintf("qsocket: Case %d: %v is an interface, want a type that implements %v", tag, v, t))
	case !v.Implements(t):
		hint := ""
		if p := reflect.PointerTo(v); p.Implements(t) {
			hint = fmt.Sprintf(", but %v does", p)
		}
		panic(fmt.Sprintf("qsocket: Case %d: %v does not implement %v%s", tag, v, t, hint))
	case codec == nil || isNil(codec):
		panic(fmt.Sprintf("qsocket: Case %d: the codec of %v is nil", tag, v))
	}
	return &variant[T, V]{number: tag, codec: codec, rtype: v}
}

// unionCase is a Case without its type parameter V.
type unionCase[T any] interface {
	tag() uint64
	valueType() reflect.Type
	codecName() string
	isStateless() bool
	canReset() bool
	schema() (text string, err error)
	unfit() error
	newEncoder() caseEncoder[T]
	newDecoder() caseDecoder[T]
}

// caseEncoder encodes the values of one case.
type caseEncoder[T any] interface {
	// append appends tag and payload of v, which is of the case's type.
	append(dst []byte, v T) ([]byte, error)
	// reset forgets the last payload.
	reset()
	limiter
}

type caseDecoder[T any] interface {
	decode(payload []byte) (T, error)
	// maxDecoded and decodedSize are as in sizer. n is the length of the payload, without
	// the tag.
	maxDecoded() (factor, free int)
	decodedSize(v any, n, limit int) int
}

type variant[T, V any] struct {
	number uint64
	codec  Codec[V]
	rtype  reflect.Type
}

func (c *variant[T, V]) addTo(u *unionCodec[T]) {
	for _, other := range u.cases {
		switch {
		case other.tag() == c.number:
			panic(fmt.Sprintf("qsocket: Union of %v: tag %d is given to %v and to %v", reflect.TypeFor[T](), c.number, other.valueType(), c.rtype))
		case other.valueType() == c.rtype:
			panic(fmt.Sprintf("qsocket: Union of %v: %v has the tags %d and %d", reflect.TypeFor[T](), c.rtype, other.tag(), c.number))
		}
	}
	u.cases = append(u.cases, c)
}

func (c *variant[T, V]) tag() uint64             { return c.number }
func (c *variant[T, V]) valueType() reflect.Type { return c.rtype }
func (c *variant[T, V]) codecName() string       { return c.codec.Name() }
func (c *variant[T, V]) isStateless() bool       { return isStateless(c.codec) }
func (c *variant[T, V]) unfit() error            { return unfit(c.codec) }

func (c *variant[T, V]) canReset() bool {
	if isStateless(c.codec) { // and NewEncoder is not called before the program begins
		return true
	}
	_, ok := c.codec.NewEncoder().(interface{ Reset() })
	return ok
}

type unionCodec[T any] struct {
	name      string
	cases     []unionCase[T]         // in the order of their tags
	otherwise otherwise[T]           // may be nil
	skip      bool                   // SkipUnknown
	schema    func() (string, error) // worked out once
	stateless bool
	resets    bool // every stateful case can be Reset
}

func (u *unionCodec[T]) Name() string    { return u.name }
func (u *unionCodec[T]) Stateless() bool { return u.stateless }

func (u *unionCodec[T]) isTagged() {}

// isTagged reports whether the payloads of codec begin with the tag of a case.
func isTagged(codec any) bool {
	_, ok := codec.(interface{ isTagged() })
	return ok
}

// unfit is that of the cases, in the order of their tags.
func (u *unionCodec[T]) unfit() error {
	for _, c := range u.cases {
		if err := c.unfit(); err != nil {
			return fmt.Errorf("case %d: %w", c.tag(), err)
		}
	}
	return nil
}

func (u *unionCodec[T]) NewEncoder() Encoder[T] {
	e := &unionEncoder[T]{union: u}
	for _, c := range u.cases {
		e.types = append(e.types, c.valueType())
		e.cases = append(e.cases, c.newEncoder())
	}
	if u.resets {
		return resettableUnion[T]{e}
	}
	return e
}

func (u *unionCodec[T]) NewDecoder() Decoder[T] {
	d := &unionDecoder[T]{union: u}
	for _, c := range u.cases {
		d.cases = append(d.cases, c.newDecoder())
		d.tags = append(d.tags, c.tag())
	}
	return d
}

// unionEncoder compares the type of a value with those of the cases in turn:
// that costs less than looking it up, as long as there are not hundreds.
type unionEncoder[T any] struct {
	union *unionCodec[T]
	types []reflect.Type   // of union.cases
	cases []caseEncoder[T] // the same
	last  caseEncoder[T]   // of the last value; nil at first
}

func (e *unionEncoder[T]) Append(dst []byte, v T) ([]byte, error) {
	t := reflect.TypeOf(v)
	for i := range e.types {
		if e.types[i] == t {
			e.last = e.cases[i]
			return e.last.append(dst, v)
		}
	}
	return dst, e.union.noCase(v)
}

func (e *unionEncoder[T]) limitPayload(n int) {
	for _, c := range e.cases {
		c.limitPayload(n)
	}
}

// noCase says why v cannot be sent.
func (u *unionCodec[T]) noCase(v T) error {
	t := reflect.TypeOf(v)
	if t == nil {
		return fmt.Errorf("a nil %v has no case", reflect.TypeFor[T]())
	}
	var types []string
	for _, c := range u.cases {
		types = append(types, fmt.Sprintf("%d %v", c.tag(), c.valueType()))
	}
	return fmt.Errorf("%v has no case, want one of: %s", t, strings.Join(types, ", "))
}

// resettableUnion is a unionEncoder that can take back its last payload.
type resettableUnion[T any] struct{ *unionEncoder[T] }

// Reset tells the encoder of the case. The other cases' streams are as they were.
func (e resettableUnion[T]) Reset() {
	if e.last != nil {
		e.last.reset()
	}
}

type unionDecoder[T any] struct {
	union *unionCodec[T]
	tags  []uint64 // in order
	cases []caseDecoder[T]
	last  int // which of cases has decoded the last message; -1: otherwise has
	size  int // of its payload, bytes
}

func (d *unionDecoder[T]) decodedSize(v any, _, limit int) int {
	if d.last < 0 {
		return otherFactor * d.size
	}
	if p, ok := v.(*T); ok {
		v = *p
	}
	return d.cases[d.last].decodedSize(v, d.size, limit)
}

// maxDecoded is the bound of the case that may take most.
func (d *unionDecoder[T]) maxDecoded() (factor, free int) {
	factor = otherFactor
	for _, c := range d.cases {
		f, g := c.maxDecoded()
		factor, free = max(factor, f), max(free, g)
	}
	return factor, free
}

func (d *unionDecoder[T]) Decode(payload []byte) (T, error) {
	var zero T
	tag, n := uint64(0), 1
	if len(payload) > 0 && payload[0] < 0x80 {
		tag = uint64(payload[0])
	} else {
		var err error
		if n, tag, err = wire.ParseUvarint(payload); err != nil || n == 0 {
			return zero, badTag(payload)
		}
	}
	i := int(tag) - 1 // where it is if the tags are 1, 2, 3 …
	if uint64(i) >= uint64(len(d.tags)) || d.tags[i] != tag {
		var ok bool
		if i, ok = slices.BinarySearch(d.tags, tag); !ok {
			return d.unknown(tag, payload[n:])
		}
	}
	d.last, d.size = i, len(payload)-n
	v, err := d.cases[i].decode(payload[n:])
	if err != nil {
		err = excerpt.Wrap(fmt.Sprintf("case %d: ", tag), err)
	}
	return v, err
}

// badTag says why payload does not begin with a tag.
func badTag(payload []byte) error {
	return fmt.Errorf("want a tag, a varint in its shortest form, got a payload of %d bytes that begins with % x", len(payload), payload[:min(len(payload), binary.MaxVarintLen64)])
}

func (d *unionDecoder[T]) unknown(tag uint64, payload []byte) (T, error) {
	d.last, d.size = -1, len(payload)
	if d.union.otherwise != nil {
		return d.union.otherwise(tag, payload[:len(payload):len(payload)])
	}
	var zero T
	if d.union.skip {
		return zero, &skippedCase{tag}
	}
	return zero, fmt.Errorf("unknown tag %d, want one of %v; with SkipUnknown the Union drops the cases of newer peers", tag, d.tags)
}

func (c *variant[T, V]) newEncoder() caseEncoder[T] {
	e := &variantEncoder[T, V]{enc: c.codec.NewEncoder(), prefix: binary.AppendUvarint(nil, c.number), none: nilOf[V]()}
	if n, ok := c.codec.(nuller); ok && e.none != nil {
		e.null = n.null()
	}
	e.resetter, _ = e.enc.(interface{ Reset() })
	return e
}

func (c *variant[T, V]) newDecoder() caseDecoder[T] {
	d := &variantDecoder[T, V]{dec: c.codec.NewDecoder(), none: nilOf[V]()}
	d.into, _ = d.dec.(intoDecoder[V])
	return d
}

type variantEncoder[T, V any] struct {
	enc      Encoder[V]
	prefix   []byte               // the tag
	none     any                  // the nil pointer, if V is a pointer
	null     string               // payload of it; "" if V is none, or that is not known
	resetter interface{ Reset() } // enc, if it can
}

func (e *variantEncoder[T, V]) append(dst []byte, v T) ([]byte, error) {
	if e.none != nil && any(v) == e.none {
		return dst, fmt.Errorf("a nil %T cannot be sent", v)
	}
	start := len(dst) + len(e.prefix)
	b, err := e.enc.Append(append(dst, e.prefix...), any(v).(V))
	if err == nil && e.null != "" && len(b)-start == len(e.null) && string(b[start:]) == e.null {
		return dst, fmt.Errorf("a %T that points to nil cannot be sent", v)
	}
	return b, err
}

// nuller is a codec in which a pointer to nil has the payload of a nil pointer.
type nuller interface {
	// null is that payload.
	null() string
}

// nilOf returns the nil pointer of type V, or nil if V is no pointer.
func nilOf[V any]() any {
	if reflect.TypeFor[V]().Kind() != reflect.Pointer {
		return nil
	}
	var none V
	return none
}

func (e *variantEncoder[T, V]) limitPayload(n int) { limit(e.enc, n) }

func (e *variantEncoder[T, V]) reset() {
	if e.resetter != nil {
		e.resetter.Reset()
	}
}

type variantDecoder[T, V any] struct {
	dec     Decoder[V]
	into    intoDecoder[V] // dec, if it is one
	scratch V              // zero between two messages
	none    any            // the nil pointer, if V is a pointer
}

func (d *variantDecoder[T, V]) maxDecoded() (factor, free int) {
	factor, free = maxDecoded(d.dec)
	return factor, free + d.boxed()
}

func (d *variantDecoder[T, V]) decodedSize(v any, n, limit int) int {
	return d.boxed() + decodedSize(d.dec, v, n, limit)
}

// boxed is the memory that a T needs for the V in it.
func (d *variantDecoder[T, V]) boxed() int { return int(reflect.TypeFor[V]().Size()) }

func (d *variantDecoder[T, V]) decode(payload []byte) (T, error) {
	var zero T
	var v any
	if d.into == nil {
		value, err := d.dec.Decode(payload)
		if err != nil {
			return zero, err
		}
		v = value
	} else {
		var none V
		err := d.into.decodeInto(payload, &d.scratch)
		if err == nil {
			v = d.scratch
		}
		d.scratch = none
		if err != nil {
			return zero, err
		}
	}
	if d.none != nil && v == d.none {
		return zero, fmt.Errorf("got nil, want a %v", reflect.TypeFor[V]().Elem())
	}
	return v.(T), nil
}
