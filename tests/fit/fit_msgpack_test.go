package fit

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/fb9bb4ed/qsocket"
	"github.com/vmihailenco/msgpack/v5"
)

type (
	fitPackOnly   struct{ n int }
	fitPackLevel  int
	fitPackNumber int
	fitUnpackOnly struct{ A, B int }
	fitPackBoth   struct{ n int } // EncodeMsgpack, UnmarshalMsgpack
	fitBinOnly    struct{ A int }
	fitBinBytes   []byte
	fitUnbinOnly  struct{ A int }
	fitBinText    struct{ n int }
	fitPackText   struct{ s string }
)

func (p fitPackOnly) EncodeMsgpack(e *msgpack.Encoder) error { return e.EncodeInt(int64(p.n)) }
func (l fitPackLevel) MarshalMsgpack() ([]byte, error) {
	return msgpack.Marshal(fmt.Sprint("level ", int(l)))
}
func (l fitPackNumber) MarshalMsgpack() ([]byte, error) { return msgpack.Marshal(int(l)) }
func (p *fitUnpackOnly) DecodeMsgpack(d *msgpack.Decoder) error {
	type plain fitUnpackOnly
	if err := d.Decode((*plain)(p)); err != nil || p.A == 0 {
		return errors.Join(err, errors.New("A is missing"))
	}
	return nil
}
func (p fitPackBoth) EncodeMsgpack(e *msgpack.Encoder) error { return e.EncodeInt(int64(p.n)) }
func (p *fitPackBoth) UnmarshalMsgpack(b []byte) error       { return msgpack.Unmarshal(b, &p.n) }
func (b fitBinOnly) MarshalBinary() ([]byte, error) {
	return strconv.AppendInt(nil, int64(b.A), 10), nil
}
func (b fitBinBytes) MarshalBinary() ([]byte, error) { return b, nil }
func (b *fitUnbinOnly) UnmarshalBinary(data []byte) (err error) {
	b.A, err = strconv.Atoi(string(data))
	return err
}
func (b fitBinText) MarshalBinary() ([]byte, error) { return []byte{byte(b.n)}, nil }
func (b *fitBinText) UnmarshalText(data []byte) (err error) {
	b.n, err = strconv.Atoi(string(data))
	return err
}
func (p fitPackText) EncodeMsgpack(e *msgpack.Encoder) error { return e.EncodeBytes([]byte(p.s)) }
func (p *fitPackText) UnmarshalText(data []byte) error       { p.s = string(data); return nil }

func TestTypesThatMsgpackCannotCarry(t *testing.T) {
	const iface = " is an interface with methods: it can be sent, but nothing can be received for it; use a concrete type, any, or a Union"
	const unsupported = " cannot be encoded; leave it out by a tag, or unexported"
	const half = ", so what is sent for it cannot be received; add "
	const hides = " has only unexported fields and no methods to encode them, so nothing of it would be sent; export fields, add methods, or leave it out by a tag"
	at, addr := time.Unix(5, 0), netip.MustParseAddr("::1")

	cannotCarry(t, "interface", qsocket.Msgpack[fitShape](), "msgpack: fitShape: fit.fitShape"+iface, fitShape(fitSquare{1}))
	cannotCarry(t, "interface in a slice", qsocket.Msgpack[fitDrawing](), "msgpack: fitDrawing.Layers[].Shapes[]: fit.fitShape"+iface, fitDrawing{[]struct{ Shapes []fitShape }{{[]fitShape{fitSquare{1}}}}})
	cannotCarry(t, "interface as key", qsocket.Msgpack[map[fitShape]int](), "msgpack: message[key]: fit.fitShape"+iface, map[fitShape]int{fitSquare{1}: 1})
	cannotCarry(t, "interface with a method of msgpack", qsocket.Msgpack[struct{ M msgpack.Marshaler }](), "msgpack: message.M: msgpack.Marshaler"+iface, struct{ M msgpack.Marshaler }{fitPackNumber(1)})

	cannotCarry(t, "chan", qsocket.Msgpack[struct{ C chan int }](), "msgpack: message.C: chan int"+unsupported, struct{ C chan int }{})
	cannotCarry(t, "func", qsocket.Msgpack[[]func()](), "msgpack: message[]: func()"+unsupported, []func(){nil})
	cannotCarry(t, "complex", qsocket.Msgpack[map[string]*complex64](), "msgpack: message[]: complex64"+unsupported, map[string]*complex64{"a": new(complex64)})
	cannotCarry(t, "unsafe.Pointer", qsocket.Msgpack[[1]unsafe.Pointer](), "msgpack: message[]: unsafe.Pointer"+unsupported, [1]unsafe.Pointer{})
	cannotCarry(t, "uintptr", qsocket.Msgpack[uintptr](), "msgpack: uintptr: uintptr"+unsupported, 1)
	cannotCarry(t, "pointer to itself", qsocket.Msgpack[struct{ P fitLoop }](), "msgpack: message.P: fit.fitLoop points to nothing but itself", struct{ P fitLoop }{fitLooped()})

	cannotCarry(t, "EncodeMsgpack alone", qsocket.Msgpack[struct{ P fitPackOnly }](), "msgpack: message.P: fit.fitPackOnly has EncodeMsgpack and no DecodeMsgpack"+half+"DecodeMsgpack", struct{ P fitPackOnly }{fitPackOnly{1}})
	cannotCarry(t, "MarshalMsgpack alone", qsocket.Msgpack[fitPackLevel](), "msgpack: fitPackLevel: fit.fitPackLevel has MarshalMsgpack and no UnmarshalMsgpack"+half+"UnmarshalMsgpack", 0, 1, 100)
	cannotCarry(t, "MarshalBinary alone", qsocket.Msgpack[fitBinOnly](), "msgpack: fitBinOnly: fit.fitBinOnly has MarshalBinary and no UnmarshalBinary"+half+"UnmarshalBinary", fitBinOnly{1})
	cannotCarry(t, "UnmarshalBinary alone", qsocket.Msgpack[fitUnbinOnly](), "msgpack: fitUnbinOnly: fit.fitUnbinOnly has UnmarshalBinary and no MarshalBinary"+half+"MarshalBinary", fitUnbinOnly{1})
	cannotCarry(t, "MarshalText alone", qsocket.Msgpack[map[string]fitTextOnly](), "msgpack: message[]: fit.fitTextOnly has MarshalText and no UnmarshalText"+half+"UnmarshalText", map[string]fitTextOnly{"a": 1})
	cannotCarry(t, "UnmarshalText alone", qsocket.Msgpack[fitParseOnly](), "msgpack: fitParseOnly: fit.fitParseOnly has UnmarshalText and no MarshalText"+half+"MarshalText", 1)
	cannotCarry(t, "AppendText and UnmarshalText", qsocket.Msgpack[fitAppendString](), "msgpack: fitAppendString: fit.fitAppendString has UnmarshalText and no MarshalText (AppendText is not asked for)"+half+"MarshalText", "x", "yyy")
	cannotCarry(t, "AppendBinary and UnmarshalBinary", qsocket.Msgpack[halfBinary](), "msgpack: halfBinary: fit.halfBinary has UnmarshalBinary and no MarshalBinary (AppendBinary is not asked for)"+half+"MarshalBinary", halfBinary{1})
	cannotCarry(t, "MarshalBinary and UnmarshalText", qsocket.Msgpack[fitBinText](), "msgpack: fitBinText: fit.fitBinText encodes itself by MarshalBinary and decodes itself by UnmarshalText, which takes another form; add UnmarshalBinary or MarshalText", fitBinText{1})

	cannotCarry(t, "embedded pointer to unexported", qsocket.Msgpack[struct{ *fitInner }](), "msgpack: message.fitInner: an embedded pointer to an unexported type cannot be set when something arrives; embed the struct itself, or export the type", struct{ *fitInner }{&fitInner{1}})
	cannotCarry(t, "embeds itself", qsocket.Msgpack[fitSelf](), "msgpack: fitSelf: fit.fitSelf embeds itself", fitSelf{nil, 2})
	cannotCarry(t, "one name", qsocket.Msgpack[fitClash](), `msgpack: fitClash: two fields of fit.fitClash are named "x"; give one another name by a tag`, fitClash{1, 2})

	cannotCarry(t, "an address with a name", qsocket.Msgpack[struct {
		netip.Addr
		Name string
	}](), "msgpack: message: MarshalBinary of struct { netip.Addr; Name string } is that of the embedded netip.Addr, so Name would be lost; give the embedded field a name, or struct { netip.Addr; Name string } methods of its own", struct {
		netip.Addr
		Name string
	}{addr, "n"})
	cannotCarry(t, "a time with a name", qsocket.Msgpack[fitStamped](), "msgpack: fitStamped: MarshalBinary of fit.fitStamped is that of the embedded time.Time, so Name would be lost; give the embedded field a name, or fit.fitStamped methods of its own", fitStamped{at, "n"})
	cannotCarry(t, "methods for another codec", qsocket.Msgpack[fitOwn](), "msgpack: fitOwn: MarshalBinary of fit.fitOwn is that of the embedded time.Time, so Name would be lost; give the embedded field a name, or fit.fitOwn methods of its own", fitOwn{at, "n"})
	cannotCarry(t, "EncodeMsgpack of the embedded", qsocket.Msgpack[struct {
		Name string
		fitPackBoth
	}](), "msgpack: message: EncodeMsgpack of struct { Name string; fit.fitPackBoth } is that of the embedded fit.fitPackBoth, so Name would be lost; give the embedded field a name, or struct { Name string; fit.fitPackBoth } methods of its own", struct {
		Name string
		fitPackBoth
	}{"n", fitPackBoth{1}})
	cannotCarry(t, "methods of an embedded pointer", qsocket.Msgpack[struct{ *big.Int }](), "msgpack: message: UnmarshalText of struct { *big.Int } is that of the embedded *big.Int, which is nil when something arrives; give the embedded field a name, or struct { *big.Int } methods of its own", struct{ *big.Int }{big.NewInt(1)})
	cannotCarry(t, "methods lost", qsocket.Msgpack[[]fitStamp](), "msgpack: message[]: fit.fitStamp"+hides, []fitStamp{fitStamp(at)})
	cannotCarry(t, "atomic", qsocket.Msgpack[*atomic.Int64](), "msgpack: Int64: atomic.Int64"+hides, atomicOne())
}

type fitDrawing struct {
	Layers []struct{ Shapes []fitShape }
}

func TestTypesThatMsgpackCarries(t *testing.T) {
	carries(t, "any", qsocket.Msgpack[any](), any("x"), nil)
	carries(t, "error", qsocket.Msgpack[struct{ E error }](), struct{ E error }{errors.New("x")})
	carries(t, "interface that a time is", qsocket.Msgpack[struct{ S fmt.Stringer }](), struct{ S fmt.Stringer }{time.Unix(5, 0)})
	carries(t, "recursive", qsocket.Msgpack[fitTree](), fitTree{1, []*fitTree{{V: 2}}, &fitTree{V: 3}, map[string]fitTree{"a": {V: 4}}})
	carries(t, "slice of itself", qsocket.Msgpack[deepSlice](), deepSlice{deepSlice{}})
	carries(t, "nothing", qsocket.Msgpack[struct{}](), struct{}{})
	carries(t, "marker", qsocket.Msgpack[struct{ M fitMarker }](), struct{ M fitMarker }{})
	carries(t, "set", qsocket.Msgpack[map[string]struct{}](), map[string]struct{}{"a": {}})
	carries(t, "lock", qsocket.Msgpack[*fitLocked](), &fitLocked{N: 1})
	carries(t, "what is not encoded", qsocket.Msgpack[fitLeftOut](), fitLeftOut{N: 1})
	carries(t, "keys", qsocket.Msgpack[map[fitTextKey]map[fitSquare]map[[2]int]int](), map[fitTextKey]map[fitSquare]map[[2]int]int{{1}: {{2}: {{3}: 4}}})
	carries(t, "any keys", qsocket.Msgpack[map[any]any](), map[any]any{int8(1): "a"})
	carries(t, "raw", qsocket.Msgpack[struct {
		R msgpack.RawMessage
		J json.RawMessage
		N json.Number
	}](), struct {
		R msgpack.RawMessage
		J json.RawMessage
		N json.Number
	}{msgpack.RawMessage{1}, json.RawMessage("1"), "2"})
	carries(t, "methods of pointers", qsocket.Msgpack[fitPointers](), fitPointers{*big.NewInt(1), []big.Int{*big.NewInt(2)}, map[string]*big.Int{"a": big.NewInt(3)}, fitPointerText{4}})
	carries(t, "methods of pointers in a map", qsocket.Msgpack[map[fitPointerText]big.Int](), map[fitPointerText]big.Int{{1}: *big.NewInt(1)})
	carries(t, "strings and bytes with one method", qsocket.Msgpack[struct {
		A fitTextString
		B fitParseString
		C fitBinBytes
	}](), struct {
		A fitTextString
		B fitParseString
		C fitBinBytes
	}{"a", "b", fitBinBytes("c")})
	carries(t, "MarshalMsgpack that writes what is read without it", qsocket.Msgpack[fitPackNumber](), 0, 1)
	carries(t, "DecodeMsgpack that reads what is written without it", qsocket.Msgpack[fitUnpackOnly](), fitUnpackOnly{1, 2})
	carries(t, "EncodeMsgpack and UnmarshalMsgpack", qsocket.Msgpack[fitPackBoth](), fitPackBoth{1})
	carries(t, "EncodeMsgpack and UnmarshalText", qsocket.Msgpack[fitPackText](), fitPackText{"x"})
	carries(t, "one name in an array", qsocket.Msgpack[fitClash](qsocket.ArrayEncodedStructs()), fitClash{1, 2})
	carries(t, "embedded", qsocket.Msgpack[fitEmbeds](), fitEmbeds{fitInner{1}, &FitOther{2}, 3})
	carries(t, "a url", qsocket.Msgpack[struct{ U *url.URL }](), struct{ U *url.URL }{&url.URL{Scheme: "http", Host: "h", User: url.User("u")}})
}

// What omitempty leaves out is zero, or an empty slice, map or string.
func TestMsgpackOmitsOnlyWhatIsEmpty(t *testing.T) {
	type inner struct {
		A int `msgpack:",omitempty"`
	}
	type message struct {
		Addr  netip.Addr     `msgpack:",omitempty"`
		Net   netip.Prefix   `msgpack:",omitempty"`
		Big   big.Int        `msgpack:",omitempty"`
		Far   *big.Int       `msgpack:",omitempty"`
		At    time.Time      `msgpack:",omitempty"`
		Text  fitPointerText `msgpack:",omitempty"`
		Pack  fitPackBoth    `msgpack:",omitempty"`
		Any   any            `msgpack:",omitempty"`
		Inner inner          `msgpack:",omitempty"`
		Inout *inner         `msgpack:",omitempty"`
		Flag  *bool          `msgpack:",omitempty"`
		Err   error          `msgpack:",omitempty"`
	}
	full := message{netip.MustParseAddr("::1"), netip.MustParsePrefix("::/8"), *big.NewInt(5), big.NewInt(0), time.Unix(5, 0),
		fitPointerText{1}, fitPackBoth{1}, int8(1), inner{1}, &inner{}, new(bool), errors.New("")}
	carries(t, "values", qsocket.Msgpack[message](), full, message{}, message{Any: any(int8(1))}, message{Inout: &inner{}})
	b, err := qsocket.Msgpack[message]().NewEncoder().Append(nil, message{})
	if err != nil || string(b) != "\x80" {
		t.Errorf("the zero value is %x, %v, want an empty map", b, err)
	}
}
