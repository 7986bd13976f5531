package pickle

import (
	"math"
	"reflect"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/fit"
	"github.com/fb9bb4ed/qsocket/internal/hints"
	"github.com/fb9bb4ed/qsocket/internal/mpplan"
)

// Codec encodes values as pickles, of protocol 4 unless [Protocol3] says otherwise, and
// decodes those of protocols 2 to 5. The package documentation says which, and what they
// become.
func Codec[T any](opts ...Option) qsocket.Codec[T] {
	c := codec[T]{options{protocol: 4, expansion: mpplan.DefaultExpansion}}
	for _, opt := range opts {
		opt(&c.opts)
	}
	return c
}

// Option changes what [Codec] does.
type Option func(*options)

type options struct {
	protocol  int
	expansion int
	strict    bool
	naiveIn   *time.Location // of datetimes without a timezone; nil: they are refused
}

// Protocol3 writes protocol 3, which Python 3.0 to 3.3 read as well. Decoding is as without it.
func Protocol3() Option { return func(o *options) { o.protocol = 3 } }

// DisallowUnknownFields makes it an error to receive a dict for a struct with a key that is
// no field of it. By default such keys are skipped.
func DisallowUnknownFields() Option { return func(o *options) { o.strict = true } }

// MaxExpansion bounds the memory that decoding a payload may allocate: factor times the
// length of the payload and 64 KiB. Without it, factor is 64. It panics if factor is less
// than 1.
func MaxExpansion(factor int) Option {
	if factor < 1 {
		panic("pickle: MaxExpansion of less than 1")
	}
	return func(o *options) { o.expansion = factor }
}

// NaiveIn accepts datetimes that have no timezone, and takes them for the time when clocks
// in loc show them: of two such times the one that the attribute fold says, and none, which
// is an error, when clocks are put forward. By default a datetime without a timezone is an
// error. It panics if loc is nil.
func NaiveIn(loc *time.Location) Option {
	if loc == nil {
		panic("pickle: NaiveIn nil")
	}
	return func(o *options) { o.naiveIn = loc }
}

// bound is what decoding n bytes may allocate.
func (o *options) bound(n int) int {
	if n > 0 && o.expansion > math.MaxInt/2/n {
		return math.MaxInt / 2
	}
	return mpplan.FreeExpansion + o.expansion*n
}

type codec[T any] struct{ opts options }

func (c codec[T]) Name() string    { return "pickle" }
func (c codec[T]) Stateless() bool { return true }

// Unfit is for hints.Fitter.
func (c codec[T]) Unfit() hints.Unfit {
	return hints.Unfit{Err: fit.Check(rules{}, reflect.TypeFor[T]())}
}

func (c codec[T]) NewEncoder() qsocket.Encoder[T] {
	return &valueEncoder[T]{plan: planFor(reflect.TypeFor[T]()), state: encoder{protocol: c.opts.protocol, limit: math.MaxInt32}}
}

func (c codec[T]) NewDecoder() qsocket.Decoder[T] {
	return &valueDecoder[T]{plan: planFor(reflect.TypeFor[T]()), opts: c.opts}
}

type valueEncoder[T any] struct {
	plan  *plan
	state encoder
	v     T // the value being encoded; here it costs no allocation of its own
}

// LimitPayload is for hints.Limiter.
func (e *valueEncoder[T]) LimitPayload(n hints.Limit) { e.state.limit = int(n) }

func (e *valueEncoder[T]) Append(dst []byte, v T) ([]byte, error) {
	e.v = v
	b, err := e.state.encode(dst, e.plan, reflect.ValueOf(&e.v).Elem())
	var zero T
	e.v = zero // holds on to nothing
	return b, err
}

type valueDecoder[T any] struct {
	plan    *plan
	opts    options
	state   decoding
	spent   int // by the value that was decoded last
	scratch *T
}

func (d *valueDecoder[T]) Decode(payload []byte) (v T, err error) {
	if d.scratch == nil {
		d.scratch = new(T)
	}
	p := d.scratch
	d.scratch = nil // for as long as it is not zero: a method of the program may panic
	d.state.options = &d.opts
	if d.spent, err = d.state.decode(payload, d.plan, reflect.ValueOf(p).Elem()); err != nil {
		return v, err
	}
	var zero T
	v, *p = *p, zero
	d.scratch = p
	return v, nil
}

// MaxDecoded and DecodedSize are for hints.Sizer.

func (d *valueDecoder[T]) MaxDecoded() hints.Size {
	return hints.Size{Factor: d.opts.expansion, Free: mpplan.FreeExpansion}
}

func (d *valueDecoder[T]) DecodedSize() hints.Size { return hints.Size{Free: d.spent} }
