package codecs

import (
	"context"
	"encoding"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

var rounds = flag.Int("codecs.rounds", 400, "values of each type that TestWhatIsSentArrives sends by each codec")

// codecNames are the codecs that TestWhatIsSentArrives goes through, by the names of of.
var codecNames = []string{"msgpack", "msgpack arrays", "json", "gob", "union", "binary"}

// subject is a type of messages.
type subject struct {
	name  string
	unfit func(codec string) error // why a Protocol with the type is refused
	round func(codec string, seed uint64) (accepted bool, problem string)
}

// of makes a subject of T: each round has an encoder and a decoder that have seen others.
func of[T any]() subject {
	codecs := map[string]end[T]{
		"msgpack":        newEnd(qsocket.Msgpack[T]()),
		"msgpack arrays": newEnd(qsocket.Msgpack[T](qsocket.ArrayEncodedStructs())),
		"json":           newEnd(qsocket.JSON[T]()),
		"gob":            newEnd(qsocket.Gob[T]()),
	}
	if t := reflect.TypeFor[T](); t.Kind() != reflect.Interface {
		codecs["union"] = newUnionEnd[T]()
		if encodesBinary(t) {
			codecs["binary"] = newEnd(qsocket.Binary[T]())
		}
	}
	return subject{
		name: fmt.Sprint(reflect.TypeFor[T]()),
		unfit: func(codec string) error {
			if codecs[codec] == nil {
				return errors.New("there is no such codec")
			}
			return codecs[codec].unfit()
		},
		round: func(codec string, seed uint64) (bool, string) {
			v := new(T)
			newDrawer(seed).fill(reflect.ValueOf(v).Elem(), 0)
			got, accepted, err := codecs[codec].exchange(*v)
			if !accepted {
				return false, ""
			}
			if err != nil {
				return true, fmt.Sprintf("it was accepted, but the receiver says: %v", err)
			}
			return true, arrivesChanged(codec, reflect.ValueOf(v).Elem(), reflect.ValueOf(&got).Elem())
		},
	}
}

// encodesBinary reports whether there is a Binary of t.
func encodesBinary(t reflect.Type) bool {
	if t.Kind() != reflect.Pointer {
		t = reflect.PointerTo(t)
	}
	return t.Implements(reflect.TypeFor[encoding.BinaryUnmarshaler]()) &&
		(t.Implements(reflect.TypeFor[encoding.BinaryMarshaler]()) || t.Implements(reflect.TypeFor[encoding.BinaryAppender]()))
}

// arrivesChanged says how b, which arrived, differs from a in a way that the documentation
// of the codec does not tell.
func arrivesChanged(codec string, a, b reflect.Value) string {
	name, arrays, _ := strings.Cut(codec, " ")
	if name == "union" {
		name = "msgpack"
	}
	if d := (comparer{name, arrays == "arrays"}).different(a, b, ""); d != "" {
		return "arrives changed: " + d
	}
	return ""
}

// end sends and receives a T by some codec.
type end[T any] interface {
	unfit() error
	// exchange returns what arrives for v, or the receiver's error, if v is accepted.
	exchange(v T) (got T, accepted bool, err error)
}

// codecEnd is that of a codec of M, which holds the T.
type codecEnd[T, M any] struct {
	codec qsocket.Codec[M]
	wrap  func(T) M
	bare  func(M) T
	enc   qsocket.Encoder[M]
	dec   qsocket.Decoder[M]
}

func newEnd[T any](c qsocket.Codec[T]) end[T] {
	same := func(v T) T { return v }
	return &codecEnd[T, T]{codec: c, wrap: same, bare: same}
}

// newUnionEnd has T as the first of several cases.
func newUnionEnd[T any]() end[T] {
	type other struct{ V T }
	c := qsocket.Union(qsocket.Case[any](1, qsocket.Msgpack[T]()), qsocket.Case[any](300, qsocket.Msgpack[*other]()))
	return &codecEnd[T, any]{codec: c, wrap: func(v T) any { return v }, bare: func(v any) T { return v.(T) }}
}

func (e *codecEnd[T, M]) unfit() error { return testkit.Unfit(e.codec) }

func (e *codecEnd[T, M]) exchange(v T) (got T, accepted bool, err error) {
	if e.enc == nil {
		e.enc, e.dec = e.codec.NewEncoder(), e.codec.NewDecoder()
	}
	payload, panicked, err := protect(func() ([]byte, error) { return e.enc.Append(nil, e.wrap(v)) })
	if panicked {
		e.enc = nil
	}
	if err != nil {
		return got, false, nil
	}
	m, _, err := protect(func() (M, error) { return e.dec.Decode(payload) })
	if err != nil {
		e.enc = nil
		return got, true, err
	}
	return e.bare(m), true, nil
}

// ofSent is of for types that go through Conns as well: every eighth value is sent where payloads
// may be as long as its encoding is.
func ofSent[T any]() subject {
	s := of[T]()
	round := s.round
	s.round = func(codec string, seed uint64) (bool, string) {
		accepted, problem := round(codec, seed)
		if !accepted || problem != "" || seed%8 != 0 {
			return accepted, problem
		}
		v := new(T)
		newDrawer(seed).fill(reflect.ValueOf(v).Elem(), 0)
		c := map[string]qsocket.Codec[T]{
			"msgpack": qsocket.Msgpack[T](), "msgpack arrays": qsocket.Msgpack[T](qsocket.ArrayEncodedStructs()),
			"json": qsocket.JSON[T](), "gob": qsocket.Gob[T](),
		}[codec]
		if c != nil {
			if err := fits(c, *v); err != nil {
				return true, err.Error()
			}
		}
		return true, ""
	}
	return s
}

// fits returns an error if v is refused, before it is encoded, where payloads may be as long as
// its encoding is. (Encoded anew, a map by gob can be a few bytes longer.)
func fits[T any](c qsocket.Codec[T], v T) error {
	payload, _, err := protect(func() ([]byte, error) { return c.NewEncoder().Append(nil, v) })
	if err != nil {
		return fmt.Errorf("it was accepted, but not a second time: %w", err)
	}
	a, b, err := qsocket.Pipe(qsocket.Protocol[T]{Codec: c}, &qsocket.Options{MaxFrame: len(payload), CloseTimeout: time.Nanosecond})
	if err != nil {
		return err
	}
	err = a.Send(context.Background(), v)
	_, _ = a.Close(), b.Close()
	if err != nil && strings.Contains(err.Error(), "at least") {
		return fmt.Errorf("its payload has %d bytes: %w", len(payload), err)
	}
	return nil
}

// protect makes an error of a panic, as a Conn does.
func protect[R any](f func() (R, error)) (r R, panicked bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			panicked, err = true, fmt.Errorf("panic: %v", p)
		}
	}()
	r, err = f()
	return r, false, err
}

var subjects = []subject{
	of[numbers](), of[texts](), of[pointers](), of[lists](), ofSent[maps](), of[keys](), of[anyKeys](), of[timeKeys](), of[times](),
	of[embeds](), of[options](), ofSent[node](), of[*node](), of[tree](), ofSent[loose](), of[standard](), ofSent[methods](),
	ofSent[any](), of[[]any](), of[map[string]any](), of[string](), of[[]byte](), of[int8](), of[float64](), of[[]node](), of[map[string]maps](),
	of[*custom](), of[color](), of[[3]point](), of[time.Time](), of[*netip.Addr](), of[url.URL](),
}

// Whatever Send accepts, the receiver gets: a value equal to what was sent, or one that
// differs as the documentation of its codec says.
//
//	go test -run TestWhatIsSentArrives ./tests/codecs -codecs.rounds 12000    a million
func TestWhatIsSentArrives(t *testing.T) {
	register()
	for _, codec := range codecNames {
		for _, s := range subjects {
			if codec == "json" && s.name == "codecs.anyKeys" {
				continue // from Go 1.27 on such keys are sent, and arrive as strings
			}
			t.Run(codec+"/"+s.name, func(t *testing.T) {
				if err := s.unfit(codec); err != nil {
					t.Skip(err)
				}
				accepted, problems := 0, 0
				for seed := range uint64(*rounds) {
					ok, problem := s.round(codec, seed)
					if ok {
						accepted++
					}
					if problem != "" {
						t.Errorf("seed %d: %.600s", seed, problem)
						if problems++; problems == 3 {
							break
						}
					}
				}
				t.Logf("%d of %d values accepted", accepted, *rounds)
				if accepted == 0 && !(codec == "json" && (s.name == "codecs.keys" || s.name == "codecs.anyKeys")) {
					t.Errorf("none of %d values was accepted", *rounds)
				}
			})
		}
	}
}
