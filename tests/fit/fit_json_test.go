package fit

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// Types with one half of a pair of methods, or with halves of two pairs.
type (
	fitTextOnly     int
	fitParseOnly    int
	fitTextString   string
	fitParseString  string
	fitAppendString string
	fitJSONOnly     int
	fitNumbersOnly  int // its MarshalJSON writes what is decoded without it
	fitReadsJSON    struct{ A, B int }
	fitReadsText    int // its UnmarshalJSON wants a string
	fitReadsShape   struct{ Shape fitShape }
	fitMixed        struct{ s string }
	fitMixedWell    struct{ s string }
	fitJSONHidden   struct{ s string }
	fitTextKey      struct{ A int }
	fitPointerText  struct{ n int }
	fitFull         struct{ n int }
)

func (l fitTextOnly) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "level %d", l), nil }
func (l *fitParseOnly) UnmarshalText(b []byte) error {
	_, err := fmt.Sscan(string(b), (*int)(l))
	return err
}

func (s fitTextString) MarshalText() ([]byte, error)   { return []byte(s), nil }
func (s *fitParseString) UnmarshalText(b []byte) error { *s = fitParseString(b); return nil }
func (s fitAppendString) AppendText(b []byte) ([]byte, error) {
	return append(append(b, "x:"...), s...), nil
}
func (s *fitAppendString) UnmarshalText(b []byte) error { *s = fitAppendString(b[2:]); return nil }

func (l fitJSONOnly) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `"level %d"`, l), nil }
func (l fitNumbersOnly) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, int64(l), 10), nil
}

// A method that fills in what is missing.
func (r *fitReadsJSON) UnmarshalJSON(b []byte) error {
	type plain fitReadsJSON
	r.B = 7
	if err := json.Unmarshal(b, (*plain)(r)); err != nil || r.A == 0 {
		return errors.Join(err, errors.New("A is missing"))
	}
	return nil
}

func (l *fitReadsText) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	_, err := fmt.Sscanf(s, "level %d", (*int)(l))
	return err
}

func (r *fitReadsShape) UnmarshalJSON(b []byte) error {
	var s struct{ Shape fitSquare }
	err := json.Unmarshal(b, &s)
	r.Shape = s.Shape
	return err
}

func (m fitMixed) MarshalJSON() ([]byte, error)      { return []byte(`{"s":"` + m.s + `"}`), nil }
func (m *fitMixed) UnmarshalText(b []byte) error     { m.s = string(b); return nil }
func (m fitMixedWell) MarshalText() ([]byte, error)  { return []byte(m.s), nil }
func (m *fitMixedWell) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &m.s) }
func (h fitJSONHidden) MarshalJSON() ([]byte, error) { return []byte(`{"s":"` + h.s + `"}`), nil }

func (k fitTextKey) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(k.A), 10), nil }
func (k *fitTextKey) UnmarshalText(b []byte) (err error) {
	k.A, err = strconv.Atoi(string(b))
	return err
}

func (p *fitPointerText) MarshalText() ([]byte, error) {
	return strconv.AppendInt(nil, int64(p.n), 10), nil
}
func (p *fitPointerText) UnmarshalText(b []byte) (err error) {
	p.n, err = strconv.Atoi(string(b))
	return err
}

// MarshalJSON fails for zero, as that of an enumeration may.
func (f fitFull) MarshalJSON() ([]byte, error) {
	if f.n == 0 {
		return nil, errors.New("no value")
	}
	return json.Marshal(f.n)
}
func (f *fitFull) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &f.n) }

func TestTypesThatJSONCannotCarry(t *testing.T) {
	const iface = " is an interface with methods: it can be sent, but nothing can be received for it; use a concrete type, any, or a Union"
	const unsupported = " cannot be encoded; leave it out by a tag, or unexported"
	const key = " cannot be the key of an object; use a string, an integer, or a type with MarshalText and, on its pointer, UnmarshalText"
	const half = ", so what is sent for it cannot be received; add "
	const hides = " has only unexported fields and no methods to encode them, so nothing of it would be sent; export fields, add methods, or leave it out by a tag"
	at, bigOne := time.Unix(5, 0).UTC(), big.NewInt(1)

	type order struct{ Legs []struct{ Err error } }
	cannotCarry(t, "an error in a slice", qsocket.JSON[order](), "json: order.Legs[].Err: error"+iface, order{[]struct{ Err error }{{errors.New("x")}}})
	cannotCarry(t, "interface", qsocket.JSON[fitShape](), "json: fitShape: fit.fitShape"+iface, fitShape(fitSquare{1}))
	cannotCarry(t, "interface in a pointer", qsocket.JSON[*fitShape](), "json: fitShape: fit.fitShape"+iface, ptr(fitShape(fitSquare{1})))
	cannotCarry(t, "interface in a map", qsocket.JSON[map[string]fitShape](), "json: message[]: fit.fitShape"+iface, map[string]fitShape{"a": fitSquare{1}})
	cannotCarry(t, "interface with a method of json", qsocket.JSON[struct{ M json.Marshaler }](), "json: message.M: json.Marshaler"+iface, struct{ M json.Marshaler }{at})
	cannotCarry(t, "embedded interface", qsocket.JSON[struct{ fitShapeX }](), "json: message.FitShape: fit.FitShape"+iface, struct{ fitShapeX }{fitShapeX{fitSquare{1}}})

	cannotCarry(t, "chan", qsocket.JSON[struct{ C chan int }](), "json: message.C: chan int"+unsupported, struct{ C chan int }{})
	cannotCarry(t, "func", qsocket.JSON[[]func()](), "json: message[]: func()"+unsupported, []func(){nil})
	cannotCarry(t, "complex", qsocket.JSON[map[string]*complex64](), "json: message[]: complex64"+unsupported, map[string]*complex64{"a": new(complex64)})
	cannotCarry(t, "unsafe.Pointer", qsocket.JSON[[1]unsafe.Pointer](), "json: message[]: unsafe.Pointer"+unsupported, [1]unsafe.Pointer{})
	cannotCarry(t, "pointer to itself", qsocket.JSON[struct{ P fitLoop }](), "json: message.P: fit.fitLoop points to nothing but itself; use a struct with a pointer in it", struct{ P fitLoop }{fitLooped()})

	cannotCarry(t, "struct key", qsocket.JSON[map[fitSquare]int](), "json: message[key]: fit.fitSquare"+key, map[fitSquare]int{{1}: 1})
	cannotCarryYet(t, "any key", qsocket.JSON[map[any]int](), "json: message[key]: interface {}"+key, map[any]int{"a": 1})
	cannotCarryYet(t, "bool key", qsocket.JSON[map[bool]int](), "json: message[key]: bool"+key, map[bool]int{true: 1})
	cannotCarryYet(t, "float key", qsocket.JSON[map[float64]int](), "json: message[key]: float64"+key, map[float64]int{1: 1})
	cannotCarry(t, "array key", qsocket.JSON[map[[2]int]int](), "json: message[key]: [2]int"+key, map[[2]int]int{{1}: 1})
	cannotCarry(t, "pointer key", qsocket.JSON[map[*fitTextKey]int](), "json: message[key]: *fit.fitTextKey"+key, map[*fitTextKey]int{{1}: 1})
	cannotCarry(t, "key that has its methods on the pointer", qsocket.JSON[map[fitPointerText]int](), "json: message[key]: fit.fitPointerText"+key, map[fitPointerText]int{{1}: 1})
	cannotCarry(t, "key with MarshalText alone", qsocket.JSON[map[fitTextOnly]int](), "json: message[key]: fit.fitTextOnly has MarshalText and no UnmarshalText"+half+"UnmarshalText", map[fitTextOnly]int{1: 1})

	cannotCarry(t, "MarshalText alone", qsocket.JSON[struct{ L fitTextOnly }](), "json: message.L: fit.fitTextOnly has MarshalText and no UnmarshalText"+half+"UnmarshalText", struct{ L fitTextOnly }{}, struct{ L fitTextOnly }{1})
	cannotCarry(t, "UnmarshalText alone", qsocket.JSON[struct{ L fitParseOnly }](), "json: message.L: fit.fitParseOnly has UnmarshalText and no MarshalText"+half+"MarshalText", struct{ L fitParseOnly }{1})
	cannotCarryYet(t, "AppendText and UnmarshalText", qsocket.JSON[fitAppendString](), "json: fitAppendString: fit.fitAppendString has UnmarshalText and no MarshalText (AppendText is not asked for)"+half+"MarshalText", "x", "yyy")
	cannotCarry(t, "MarshalJSON alone", qsocket.JSON[fitJSONOnly](), "json: fitJSONOnly: fit.fitJSONOnly has MarshalJSON and no UnmarshalJSON"+half+"UnmarshalJSON", 0, 1, 1000)
	cannotCarry(t, "MarshalJSON alone of a struct that hides", qsocket.JSON[fitJSONHidden](), "json: fitJSONHidden: fit.fitJSONHidden has MarshalJSON and no UnmarshalJSON"+half+"UnmarshalJSON", fitJSONHidden{"x"})
	cannotCarry(t, "UnmarshalJSON that wants a string", qsocket.JSON[fitReadsText](), "json: fitReadsText: fit.fitReadsText has UnmarshalJSON and no MarshalJSON"+half+"MarshalJSON", 0, 1, 1000)
	cannotCarry(t, "MarshalJSON and UnmarshalText", qsocket.JSON[fitMixed](), "json: fitMixed: fit.fitMixed encodes itself by MarshalJSON and decodes itself by UnmarshalText, which takes another form; add UnmarshalJSON or MarshalText", fitMixed{"x"})
	cannotCarry(t, "methods of pointers in a map", qsocket.JSON[map[string]big.Int](), "json: message[]: MarshalJSON is a method of *big.Int, which is not called for what is in a map; use *big.Int there, or make it a method of big.Int", map[string]big.Int{"a": *bigOne})

	cannotCarry(t, "embedded pointer to unexported", qsocket.JSON[struct{ *fitInner }](), "json: message.fitInner: an embedded pointer to an unexported type cannot be set when something arrives; embed the struct itself, or export the type", struct{ *fitInner }{&fitInner{1}})
	cannotCarry(t, "the same with a name", qsocket.JSON[struct {
		*fitInner `json:"inner"`
	}](), "json: message.fitInner: an embedded pointer to an unexported type cannot be set when something arrives; embed the struct itself, or export the type", struct {
		*fitInner `json:"inner"`
	}{&fitInner{1}})
	cannotCarry(t, "embeds itself", qsocket.JSON[fitSelf](), "json: fitSelf: fit.fitSelf embeds itself, and what is embedded in it would be lost; give the embedded field a name", fitSelf{&fitSelf{nil, 1}, 2})
	cannotCarry(t, "one name, embedded", qsocket.JSON[struct {
		FitInner
		FitOther
	}](), `json: message: FitInner.ID and FitOther.ID are both named "ID", so neither is sent; rename one, or leave one out by the tag json:"-"`, struct {
		FitInner
		FitOther
	}{FitInner{1}, FitOther{2}})

	cannotCarry(t, "a time with a name", qsocket.JSON[fitStamped](), "json: fitStamped: MarshalJSON of fit.fitStamped is that of the embedded time.Time, so Name would be lost; give the embedded field a name, or fit.fitStamped methods of its own", fitStamped{at, "n"})
	cannotCarry(t, "an address with a name", qsocket.JSON[struct {
		A []struct {
			netip.Addr
			X, Y int
		}
	}](), "json: message.A[]: MarshalText of struct { netip.Addr; X int; Y int } is that of the embedded netip.Addr, so X and Y would be lost; give the embedded field a name, or struct { netip.Addr; X int; Y int } methods of its own", struct {
		A []struct {
			netip.Addr
			X, Y int
		}
	}{[]struct {
		netip.Addr
		X, Y int
	}{{netip.MustParseAddr("::1"), 1, 2}}})
	cannotCarry(t, "methods of an embedded pointer", qsocket.JSON[struct{ *big.Int }](), "json: message: UnmarshalJSON of struct { *big.Int } is that of the embedded *big.Int, which is nil when something arrives; give the embedded field a name, or struct { *big.Int } methods of its own", struct{ *big.Int }{bigOne})
	cannotCarry(t, "methods lost", qsocket.JSON[fitStamp](), "json: fitStamp: fit.fitStamp"+hides, fitStamp(at))
	cannotCarry(t, "methods lost, in a field", qsocket.JSON[struct{ At *fitStamp }](), "json: message.At: fit.fitStamp"+hides, struct{ At *fitStamp }{ptr(fitStamp(at))})
	cannotCarry(t, "all is unexported", qsocket.JSON[fitState](), "json: fitState: fit.fitState"+hides, fitState{1})
	cannotCarry(t, "atomic", qsocket.JSON[*atomic.Int64](), "json: Int64: atomic.Int64"+hides, atomicOne())
}

func TestTypesThatJSONCarries(t *testing.T) {
	at := time.Unix(5, 0).UTC()
	carries(t, "any", qsocket.JSON[any](), any("x"), nil)
	carries(t, "recursive", qsocket.JSON[fitTree](), fitTree{1, []*fitTree{{V: 2}}, &fitTree{V: 3}, map[string]fitTree{"a": {V: 4}}})
	carries(t, "slice of itself", qsocket.JSON[deepSlice](), deepSlice{deepSlice{}})
	carries(t, "nothing", qsocket.JSON[struct{}](), struct{}{})
	carries(t, "marker", qsocket.JSON[struct{ M fitMarker }](), struct{ M fitMarker }{})
	carries(t, "set", qsocket.JSON[map[string]struct{}](), map[string]struct{}{"a": {}})
	carries(t, "lock", qsocket.JSON[*fitLocked](), &fitLocked{N: 1})
	carries(t, "what is not encoded", qsocket.JSON[fitLeftOut](), fitLeftOut{N: 1})
	carries(t, "its own and nothing beside it", qsocket.JSON[fitTimeOnly](), fitTimeOnly{at})
	carries(t, "its own methods", qsocket.JSON[fitOwn](), fitOwn{at, "n"})
	carries(t, "keys", qsocket.JSON[map[fitTextKey]map[int8]map[fitTextString]int](), map[fitTextKey]map[int8]map[fitTextString]int{{1}: {2: {"a": 3}}})
	carries(t, "raw", qsocket.JSON[struct {
		R json.RawMessage
		N json.Number
		U uintptr
		B []byte
	}](), struct {
		R json.RawMessage
		N json.Number
		U uintptr
		B []byte
	}{json.RawMessage("1"), "2", 3, []byte{4}})
	carries(t, "methods of pointers", qsocket.JSON[fitPointers](), fitPointers{*big.NewInt(1), []big.Int{*big.NewInt(2)}, map[string]*big.Int{"a": big.NewInt(3)}, fitPointerText{4}})
	carries(t, "methods of pointers in a map, through a pointer", qsocket.JSON[map[string]*fitPointers](), map[string]*fitPointers{"a": {A: *big.NewInt(1), T: fitPointerText{4}}})
	carries(t, "strings with one method", qsocket.JSON[struct {
		A fitTextString
		B fitParseString
	}](), struct {
		A fitTextString
		B fitParseString
	}{"a", "b"})
	carries(t, "MarshalJSON that writes what is read without it", qsocket.JSON[fitNumbersOnly](), 0, 1)
	carries(t, "UnmarshalJSON that reads what is written without it", qsocket.JSON[fitReadsJSON](), fitReadsJSON{1, 2})
	carries(t, "UnmarshalJSON that knows what an interface is", qsocket.JSON[fitReadsShape](), fitReadsShape{fitSquare{1}})
	carries(t, "MarshalText and UnmarshalJSON", qsocket.JSON[fitMixedWell](), fitMixedWell{"x"})
	carries(t, "zero is no value", qsocket.JSON[fitFull](), fitFull{1})
	carries(t, "embedded", qsocket.JSON[fitEmbeds](), fitEmbeds{fitInner{1}, &FitOther{2}, 3})
	carries(t, "a url", qsocket.JSON[struct{ U *url.URL }](), struct{ U *url.URL }{&url.URL{Scheme: "http", Host: "h"}})
}

// cannotCarryYet is cannotCarry for what encoding/json can from Go 1.27 on.
func cannotCarryYet[T any](t *testing.T, name string, codec qsocket.Codec[T], want string, values ...T) {
	for _, v := range values {
		if got, err := across(codec, v); err == nil && reflect.DeepEqual(got, v) {
			carries(t, name, codec, values...)
			return
		}
	}
	cannotCarry(t, name, codec, want, values...)
}

type (
	FitShape  interface{ Area() float64 }
	fitShapeX struct{ FitShape }
	fitClash  struct {
		A int `msgpack:"x"`
		B int `msgpack:"x"`
	}
	fitLocked struct {
		sync.Mutex
		Mu sync.RWMutex
		N  int
	}
	fitLeftOut struct {
		F func()   `json:"-" msgpack:"-"`
		S fitShape `json:"-" msgpack:"-"`
		_ error
		_ chan int
		N int
	}
	fitOwn struct {
		time.Time
		Name string
	}
	fitPointers struct {
		A big.Int
		B []big.Int
		C map[string]*big.Int
		T fitPointerText
	}
	// The embedded ones have one field of their names each, and ID is another's.
	fitEmbeds struct {
		fitInner `json:"inner" msgpack:"inner"`
		*FitOther
		N int
	}
)

func (o fitOwn) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{o.Time, o.Name})
}

func (o *fitOwn) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&o.Time, &o.Name})
}

func ptr[T any](v T) *T { return &v }

// fitLooped returns a pointer to itself.
func fitLooped() fitLoop {
	var p fitLoop
	p = &p
	return p
}

func atomicOne() *atomic.Int64 {
	var n atomic.Int64
	n.Store(1)
	return &n
}

// Go before 1.27 finds no methods behind a pointer type with a name, when it decodes.
type (
	fitNamedIP      *net.IP
	fitNamedTime    *time.Time
	fitNamedInt     *int
	fitNamedPointer **time.Time
)

func TestNamedPointersToMethods(t *testing.T) {
	for name, got := range map[string]error{
		"text": fitOf[fitNamedIP](), "time": fitOf[struct{ T fitNamedTime }](), "in a map": fitOf[map[string]fitNamedIP](),
	} {
		if got == nil || !strings.Contains(got.Error(), "is a pointer type with a name") {
			t.Errorf("%s: got %v, want an error about the pointer type", name, got)
		}
	}
	for name, got := range map[string]error{
		"no methods": fitOf[fitNamedInt](), "no name": fitOf[*net.IP](), "pointer to a pointer": fitOf[fitNamedPointer](),
	} {
		if got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	at := time.Unix(1, 0).UTC()
	p := &at
	b, err := qsocket.JSON[fitNamedPointer]().NewEncoder().Append(nil, &p)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := qsocket.JSON[fitNamedPointer]().NewDecoder().Decode(b); err != nil || !(**got).Equal(at) {
		t.Errorf("got %v, %v, want %v", got, err, at)
	}
}

func fitOf[T any]() error { return testkit.Unfit(qsocket.JSON[T]()) }
