package fit

import (
	"encoding"
	"encoding/gob"
	"math/big"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/fb9bb4ed/qsocket"
)

type (
	fitGobOnly   struct{ N int }
	fitUngobOnly struct{ N int }
	fitGobBinary struct{ N int }
	fitGobValue  struct{ n int }
)

func (g fitGobOnly) GobEncode() ([]byte, error) { return strconv.AppendInt(nil, int64(g.N), 10), nil }
func (g *fitUngobOnly) GobDecode(b []byte) (err error) {
	g.N, err = strconv.Atoi(string(b))
	return err
}
func (g fitGobBinary) GobEncode() ([]byte, error) { return strconv.AppendInt(nil, int64(g.N), 10), nil }
func (g *fitGobBinary) UnmarshalBinary(b []byte) (err error) {
	g.N, err = strconv.Atoi(string(b))
	return err
}
func (g fitGobValue) GobEncode() ([]byte, error)      { return strconv.AppendInt(nil, int64(g.n), 10), nil }
func (g *fitGobValue) GobDecode(b []byte) (err error) { g.n, err = strconv.Atoi(string(b)); return err }

func init() { gob.Register(fitSquare{}) }

func TestTypesThatGobCannotCarry(t *testing.T) {
	const unsupported = " cannot be encoded; leave it out by a tag, or unexported"
	const half = ", so what is sent for it cannot be received; add "
	const none = " has no fields that gob sends, and gob refuses such a struct; export fields, add methods, or unexport what has the type"
	at := time.Unix(5, 0).UTC()

	cannotCarry(t, "chan", qsocket.Gob[chan int](), "gob: message: chan int"+unsupported, make(chan int))
	cannotCarry(t, "func", qsocket.Gob[struct{ F []func() }](), "gob: message.F[]: func()"+unsupported, struct{ F []func() }{[]func(){nil}})
	cannotCarry(t, "unsafe.Pointer", qsocket.Gob[struct{ P unsafe.Pointer }](), "gob: message.P: unsafe.Pointer"+unsupported, struct{ P unsafe.Pointer }{})
	// In a field, gob would follow it for ever.
	cannotCarry(t, "pointer to itself", qsocket.Gob[fitLoop](), "gob: fitLoop: fit.fitLoop points to nothing but itself; use a struct with a pointer in it", fitLooped())
	cannotCarry(t, "no exported fields", qsocket.Gob[fitState](), "gob: fitState: fit.fitState"+none, fitState{1})
	cannotCarry(t, "none in a field", qsocket.Gob[struct {
		N int
		S map[string]fitState
	}](), "gob: message.S[]: fit.fitState"+none, struct {
		N int
		S map[string]fitState
	}{N: 1})
	cannotCarry(t, "lock", qsocket.Gob[*struct {
		sync.Mutex
		N int
	}](), "gob: message.Mutex: sync.Mutex"+none, &struct {
		sync.Mutex
		N int
	}{N: 1})
	cannotCarry(t, "nothing but a chan", qsocket.Gob[struct{ C chan int }](), "gob: message: struct { C chan int }"+none, struct{ C chan int }{})
	cannotCarry(t, "methods lost", qsocket.Gob[fitStamp](), "gob: fitStamp: fit.fitStamp"+none, fitStamp(at))

	cannotCarry(t, "GobEncode alone", qsocket.Gob[fitGobOnly](), "gob: fitGobOnly: fit.fitGobOnly has GobEncode and no GobDecode"+half+"GobDecode", fitGobOnly{1})
	cannotCarry(t, "GobDecode alone", qsocket.Gob[[]fitUngobOnly](), "gob: message[]: fit.fitUngobOnly has GobDecode and no GobEncode"+half+"GobEncode", []fitUngobOnly{{1}})
	cannotCarry(t, "GobEncode and UnmarshalBinary", qsocket.Gob[fitGobBinary](), "gob: fitGobBinary: fit.fitGobBinary encodes itself by GobEncode and decodes itself by UnmarshalBinary, which takes another form; add GobDecode or MarshalBinary", fitGobBinary{1})
	cannotCarry(t, "MarshalBinary alone", qsocket.Gob[fitBinOnly](), "gob: fitBinOnly: fit.fitBinOnly has MarshalBinary and no UnmarshalBinary"+half+"UnmarshalBinary", fitBinOnly{1})
	cannotCarry(t, "UnmarshalBinary alone", qsocket.Gob[fitUnbinOnly](), "gob: fitUnbinOnly: fit.fitUnbinOnly has UnmarshalBinary and no MarshalBinary"+half+"MarshalBinary", fitUnbinOnly{1})
	cannotCarry(t, "AppendBinary and UnmarshalBinary", qsocket.Gob[halfBinary](), "gob: halfBinary: fit.halfBinary has UnmarshalBinary and no MarshalBinary (AppendBinary is not asked for)"+half+"MarshalBinary", halfBinary{1})
	cannotCarry(t, "methods of pointers in a map", qsocket.Gob[map[string]big.Int](), "gob: message[]: GobEncode is a method of *big.Int, which is not called for what is in a map; use *big.Int there, or make it a method of big.Int", map[string]big.Int{"a": *big.NewInt(1)})
	cannotCarry(t, "interface with a method of gob", qsocket.Gob[struct{ M encoding.BinaryMarshaler }](), "gob: message.M: encoding.BinaryMarshaler is an interface with a method MarshalBinary, of which gob makes no use when it decodes; use a concrete type, or an interface without it", struct{ M encoding.BinaryMarshaler }{at})

	cannotCarry(t, "a time with a name", qsocket.Gob[struct{ S *fitStamped }](), "gob: message.S: GobEncode of fit.fitStamped is that of the embedded time.Time, so Name would be lost; give the embedded field a name, or fit.fitStamped methods of its own", struct{ S *fitStamped }{&fitStamped{at, "n"}})
	cannotCarry(t, "methods of an embedded pointer", qsocket.Gob[struct{ *big.Int }](), "gob: message: GobDecode of struct { *big.Int } is that of the embedded *big.Int, which is nil when something arrives; give the embedded field a name, or struct { *big.Int } methods of its own", struct{ *big.Int }{big.NewInt(1)})
}

func TestTypesThatGobCarries(t *testing.T) {
	at := time.Unix(5, 0).UTC()
	carries(t, "interface", qsocket.Gob[struct{ S fitShape }](), struct{ S fitShape }{fitSquare{1}})
	carries(t, "interface as message", qsocket.Gob[fitShape](), fitShape(fitSquare{1}))
	carries(t, "recursive", qsocket.Gob[fitTree](), fitTree{1, []*fitTree{{V: 2}}, &fitTree{V: 3}, map[string]fitTree{"a": {V: 4}}})
	carries(t, "embeds itself, with a field", qsocket.Gob[FitSelf](), FitSelf{&FitSelf{nil, 1}, 2})
	carries(t, "slice of itself", qsocket.Gob[deepSlice](), deepSlice{nil})
	carries(t, "nothing", qsocket.Gob[struct{}](), struct{}{})
	carries(t, "set", qsocket.Gob[map[string]struct{}](), map[string]struct{}{"a": {}})
	carries(t, "complex and uintptr", qsocket.Gob[struct {
		C complex64
		U uintptr
	}](), struct {
		C complex64
		U uintptr
	}{1i, 2})
	carries(t, "what is not encoded", qsocket.Gob[struct {
		F    func()
		C    *chan int
		m    sync.Mutex
		err  error
		N    int
		Last struct{}
	}](), struct {
		F    func()
		C    *chan int
		m    sync.Mutex
		err  error
		N    int
		Last struct{}
	}{N: 1})
	carries(t, "its own and nothing beside it", qsocket.Gob[fitTimeOnly](), fitTimeOnly{at})
	carries(t, "its own methods", qsocket.Gob[map[fitGobValue]fitGobValue](), map[fitGobValue]fitGobValue{{1}: {2}})
	carries(t, "methods of pointers", qsocket.Gob[struct {
		A big.Int
		B []big.Int
		C map[string]*big.Int
		D map[string][]big.Int
	}](), struct {
		A big.Int
		B []big.Int
		C map[string]*big.Int
		D map[string][]big.Int
	}{*big.NewInt(1), []big.Int{*big.NewInt(2)}, map[string]*big.Int{"a": big.NewInt(3)}, map[string][]big.Int{"a": {*big.NewInt(3)}}})
	carries(t, "texts are not asked for", qsocket.Gob[struct{ A fitTextOnly }](), struct{ A fitTextOnly }{1})
	carries(t, "values", qsocket.Gob[struct {
		A netip.Addr
		U *url.URL
	}](), struct {
		A netip.Addr
		U *url.URL
	}{netip.MustParseAddr("::1"), &url.URL{Scheme: "http", Host: "h", User: url.User("u")}})
}

type FitSelf struct {
	*FitSelf
	V int
}
