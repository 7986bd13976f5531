package mpplan_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"
)

// setter sets everything that can be set on what it is given, for what it encodes or
// decodes itself.
type setter struct{ N int }

func (setter) EncodeMsgpack(enc *msgpack.Encoder) error {
	setAll(enc)
	return enc.EncodeNil()
}

func (s *setter) DecodeMsgpack(dec *msgpack.Decoder) error {
	setAll(dec)
	return dec.Skip()
}

// setAll calls all methods of an Encoder or a Decoder that are setters.
func setAll(v any) (names []string) {
	value := reflect.ValueOf(v)
	for i := range value.NumMethod() {
		m := value.Type().Method(i)
		if !strings.HasPrefix(m.Name, "Set") && !strings.HasPrefix(m.Name, "Use") && !strings.HasPrefix(m.Name, "Disallow") || m.Type.NumIn() != 2 {
			continue
		}
		switch m.Type.In(1).Kind() {
		case reflect.Bool:
			value.Method(i).Call([]reflect.Value{reflect.ValueOf(true)})
		case reflect.String:
			value.Method(i).Call([]reflect.Value{reflect.ValueOf("json")})
		case reflect.Func:
			failing := func(*msgpack.Decoder) (any, error) { panic("a map decoder of an earlier message") }
			value.Method(i).Call([]reflect.Value{reflect.ValueOf(failing)})
		default:
			continue
		}
		names = append(names, m.Name)
	}
	return names
}

// byV5 is encoded and decoded by v5, with a method that does not mind what is set.
type byV5 struct {
	A     int `json:"other"`
	Empty string
	M     map[string]any
	F     float64
}

type plainByV5 byV5

func (v byV5) EncodeMsgpack(enc *msgpack.Encoder) error  { return enc.Encode((*plainByV5)(&v)) }
func (v *byV5) DecodeMsgpack(dec *msgpack.Decoder) error { return dec.Decode((*plainByV5)(v)) }

// What a method of a type sets on v5's encoder or decoder does not outlive the value for
// which it was called: no message depends on one before it.
func TestMethodsSetNothingForLaterValues(t *testing.T) {
	if names := setAll(msgpack.NewEncoder(nil)); len(names) < 6 {
		t.Fatalf("only %v are setters of an Encoder", names)
	}
	if names := setAll(msgpack.NewDecoder(nil)); len(names) < 4 {
		t.Fatalf("only %v are setters of a Decoder", names)
	}
	setters, values := mpplan.For[setter](), mpplan.For[byV5]()
	v := byV5{A: 1, M: map[string]any{"b": int64(1), "a": map[string]any{}}, F: 3}
	want, err := values.Append(new(mpplan.Encoder), nil, &v)
	if err != nil {
		t.Fatal(err)
	}

	var enc mpplan.Encoder
	set, err := setters.Append(&enc, nil, new(setter))
	if err != nil {
		t.Fatal(err)
	}
	got, err := values.Append(&enc, nil, &v)
	if err != nil || string(got) != string(want) {
		t.Errorf("encoded % x, %v\nwant % x", got, err, want)
	}

	set = append(set[:0], 0x80) // a map, as the method is not called for nil
	var dec mpplan.Decoder
	if err := setters.Decode(&dec, set, new(setter)); err != nil {
		t.Fatal(err)
	}
	fresh, again := new(byV5), new(byV5)
	if err := values.Decode(new(mpplan.Decoder), want, fresh); err != nil {
		t.Fatal(err)
	}
	if err := values.Decode(&dec, want, again); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(fresh, again); diff != "" {
		t.Error(diff)
	}
}
