package fuzz

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/gobscan"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// What the fuzz targets decode into, besides any and testkit.Order.
type (
	gobNode struct {
		Name  string
		Left  *gobNode
		Kids  []gobNode
		Index map[string]*gobNode
		Any   any
		Raw   []byte
		When  time.Time
		Grid  [3][2]int8
		Z     complex64
		Deep  **int
		Many  map[gobKey][]string
		Self  gobList
		F     []float32
		Flags []bool
		Err   io.Reader // an interface that few types have
	}

	gobKey  struct{ A, B int8 }
	gobList []gobList

	// gobNodeV0 is another version of gobNode: it has less, and some fields have
	// other types. gobTwins has one type where the peer may have two.
	gobNodeV0 struct {
		Name string
		Left *gobNodeV0
		Kids []gobNodeV0
		Raw  string
	}
	gobTwins struct {
		Left, Right gobKey
		Kids, More  []gobKey
	}
	gobTwinsV0 struct {
		Left, Right struct{ B, A int8 }
		Kids        []gobKey
		More        []struct{ C, B, A int8 }
	}

	// gobPlain has nothing that the scanner could not decode by itself.
	gobPlain struct {
		I8    int8
		U16   uint16
		I32   int32
		U32   *uint32
		Int   int
		Ptr   uintptr
		F32   float32
		F64   **float64
		OK    bool
		Name  gobName
		Raw   []byte
		Bits  []gobBit
		Grid  [2][3]int16
		When  time.Time
		Until *time.Time
		Names []gobName
		Opt   []*string
		Flags []bool
		Kids  []gobPlain
		Next  *gobPlain
		By    map[gobKey][]*gobKey
		In    map[string]map[int8]float32
		Pairs [2]gobKey
		None  []struct{}
	}
	gobName string
	gobBit  uint8

	// gobPlainV0 is another version of it: fields are absent, others narrower.
	gobPlainV0 struct {
		F64   float32
		Int   int8
		Raw   gobBits
		Kids  *[]gobPlainV0
		Names []string
		By    map[gobKey][]gobKey
		I32   **int8
		A     int8
	}
	gobBits []gobBit

	gobDegrees float64
	gobBig     struct{ Pad [1024]byte }
)

// corpusPackage is where the registered types were when the corpus in testdata was
// made. Their names stay the same, so that it still decodes.
const corpusPackage = "github.com/fb9bb4ed/qsocket_test."

func init() {
	for name, v := range map[string]any{
		corpusPackage + "gobNode": gobNode{}, "*qsocket_test.gobNodeV0": &gobNodeV0{}, corpusPackage + "gobKey": gobKey{},
		corpusPackage + "gobList": gobList{}, corpusPackage + "gobDegrees": gobDegrees(0), corpusPackage + "gobBig": gobBig{},
		"[3]qsocket_test.gobKey": [3]gobKey{}, "map[qsocket_test.gobKey]int": map[gobKey]int{}, "[]qsocket_test.gobBig": []gobBig{},
	} {
		gob.RegisterName(name, v)
	}
	for _, v := range []any{map[string]any{}, []any{}, time.Time{}, [2]time.Time{}, [2]any{}, new(any)} {
		gob.Register(v)
	}
}

// gobEqual compares what has been decoded. A number that is none equals itself.
func gobEqual(a, b any) bool {
	same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
	return reflect.DeepEqual(a, b) || cmp.Equal(a, b, cmpopts.EquateNaNs(), cmp.Comparer(func(a, b complex64) bool {
		return same(float64(real(a)), float64(real(b))) && same(float64(imag(a)), float64(imag(b)))
	}), cmp.Comparer(func(a, b gobDegrees) bool {
		return same(float64(a), float64(b))
	}), cmp.Comparer(func(a, b complex128) bool {
		return same(real(a), real(b)) && same(imag(a), imag(b))
	}))
}

// fuzzGobSplit cuts data into payloads, before each of which its length stands.
func fuzzGobSplit(data []byte) (payloads [][]byte) {
	for len(data) > 2 && len(payloads) < 16 {
		n := min(int(binary.BigEndian.Uint16(data)), len(data)-2)
		payloads = append(payloads, data[2:2+n])
		data = data[2+n:]
	}
	return payloads
}

func fuzzGobJoin(payloads ...[]byte) (data []byte) {
	for _, p := range payloads {
		data = append(binary.BigEndian.AppendUint16(data, uint16(len(p))), p...)
	}
	return data
}

// What decoding may object to in a payload that passed the scanner: not its form, but
// that a value does not fit, or what a type's own method thinks of it.
var fuzzGobObjections = []string{
	"out of range", "not assignable", "panic: ", "Time.UnmarshalBinary",
	"nil pointer",
}

// plainGob decodes the next payload of a stream by gob itself, which may panic.
func plainGob(dec *gob.Decoder, v any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return dec.Decode(v)
}

func fuzzGobDecode[T any](t *testing.T, payloads [][]byte) {
	dec := qsocket.Gob[T]().NewDecoder()
	scan := gobscan.New(reflect.TypeFor[T]())
	plain := gob.NewDecoder(bytes.NewReader(nil))
	var stream bytes.Buffer
	var before, after runtime.MemStats
	var spent, allowed uint64
	for i, p := range payloads {
		restart := len(p) > 0 && p[0] == 0
		var want error
		if restart || i == 0 {
			scan.Reset()
			stream.Reset()
			plain = gob.NewDecoder(&stream)
		}
		if restart {
			want = scan.Scan(p[1:])
		} else {
			want = scan.Scan(p)
		}
		runtime.ReadMemStats(&before)
		v, err := dec.Decode(p)
		runtime.ReadMemStats(&after)
		spent += after.TotalAlloc - before.TotalAlloc
		allowed += uint64(gobscan.MaxExpansion*len(p) + gobscan.Slack)
		if spent > allowed {
			t.Fatalf("payload %d of %d bytes: %d bytes allocated so far, want at most %d (%v)", i, len(p), spent, allowed, err)
		}
		if errors.Is(err, io.EOF) {
			t.Fatalf("payload %d: got %v, want no io.EOF", i, err)
		}
		if err != nil && want == nil {
			if !slices.ContainsFunc(fuzzGobObjections, func(s string) bool { return strings.Contains(err.Error(), s) }) {
				t.Fatalf("payload %d %x passed the scanner, but: %v", i, p, err)
			}
		} else if err != nil {
			return
		}
		stream.Write(bytes.TrimPrefix(p, []byte{0}))
		var direct T
		if plainErr := plainGob(plain, &direct); (plainErr == nil) != (err == nil) {
			t.Fatalf("payload %d %x: got %v, plain gob: %v", i, p, err, plainErr)
		}
		if err != nil {
			return
		}
		if !gobEqual(v, direct) {
			t.Fatalf("payload %d: got %#v, plain gob %#v", i, v, direct)
		}
	}
}

// FuzzGobDecode decodes sequences of payloads. None may allocate more than the
// limit, panic, pass the scanner and then fail for its form, or differ from what gob makes of it.
func FuzzGobDecode(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(fuzzGobJoin(gobRandomPayloads[gobNode](f, seed, 3)...))
		f.Add(fuzzGobJoin(gobRandomPayloads[any](f, seed, 3)...))
		f.Add(fuzzGobJoin(gobRandomPayloads[testkit.Order](f, seed, 2)...))
		f.Add(fuzzGobJoin(gobRandomPayloads[gobTwinsV0](f, seed, 2)...))
		f.Add(fuzzGobJoin(gobRandomPayloads[gobPlain](f, seed, 3)...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		payloads := fuzzGobSplit(data)
		fuzzGobDecode[any](t, payloads)
		fuzzGobDecode[gobNode](t, payloads)
		fuzzGobDecode[gobTwins](t, payloads)
		fuzzGobDecode[testkit.Order](t, payloads)
		fuzzGobDecode[gobPlain](t, payloads)
		fuzzGobDecode[gobPlainV0](t, payloads)
	})
}

// FuzzGobValid sends random values through the codec, into their own type and into
// others. Whatever plain gob decodes must pass.
func FuzzGobValid(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		nodes := gobRandomPayloads[gobNode](t, seed, 4)
		gobSameAsPlain[gobNode](t, nodes)
		gobSameAsPlain[gobNodeV0](t, nodes)
		gobSameAsPlain[struct{ Name string }](t, nodes)
		gobSameAsPlain[struct{ Kids []struct{ Any any } }](t, nodes)
		anys := gobRandomPayloads[any](t, seed, 4)
		gobSameAsPlain[any](t, anys)
		twins := gobRandomPayloads[gobTwinsV0](t, seed, 4)
		gobSameAsPlain[gobTwins](t, twins)
		gobSameAsPlain[gobTwinsV0](t, twins)
		plain := gobRandomPayloads[gobPlain](t, seed, 4)
		gobSameAsPlain[gobPlain](t, plain)
		gobSameAsPlain[gobPlainV0](t, plain)
		gobSameAsPlain[struct {
			Kids []struct{ By map[gobKey][]gobKey }
		}](t, plain)
		gobSameAsPlain[map[gobName]*gobPlain](t, gobRandomPayloads[map[gobName]*gobPlain](t, seed, 2))
		gobSameAsPlain[[]gobTwins](t, gobRandomPayloads[[]gobTwins](t, seed, 2))
		gobSameAsPlain[map[string][]any](t, gobRandomPayloads[map[string][]any](t, seed, 2))
	})
}

func gobSameAsPlain[T any](t *testing.T, payloads [][]byte) {
	t.Helper()
	dec := qsocket.Gob[T]().NewDecoder()
	var stream bytes.Buffer
	plain := gob.NewDecoder(&stream)
	for i, p := range payloads {
		got, err := dec.Decode(p)
		stream.Write(p)
		var want T
		plainErr := func() (err error) {
			defer func() {
				if r := recover(); r != nil {
					err = errors.New("panic")
				}
			}()
			return plain.Decode(&want)
		}()
		// gob gets lost in interfaces that the receiver has no field for, if what
		// is in them brings definitions. It does not always notice.
		if plainErr != nil || stream.Len() > 0 || err != nil && strings.Contains(err.Error(), "trailing bytes") {
			return
		}
		if err != nil {
			t.Fatalf("payload %d of %d bytes into %T: got %v, plain gob decodes it", i, len(p), want, err)
		}
		if !gobEqual(got, want) {
			t.Fatalf("payload %d: got %#v, plain gob %#v", i, got, want)
		}
	}
}
