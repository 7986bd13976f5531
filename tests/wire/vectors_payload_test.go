package wire

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// A payloadVector is a payload for the message of the file.
type payloadVector struct {
	Name    string `json:"name"`
	Hex     string `json:"hex"`
	Refused bool   `json:"refused,omitempty"`
	Value   any    `json:"value,omitempty"`
	Sent    string `json:"sent,omitempty"` // how the library writes that value
}

func sampleSchema() string { return qsocket.Protocol[testkit.Sample]{}.Schema() }

func payloadVectors(t *testing.T) (list []payloadVector) {
	codec := qsocket.Msgpack[testkit.Sample]()
	for _, c := range testkit.Payloads {
		b, err := testkit.RepeatedHex(c.Hex)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		v := payloadVector{Name: c.Name, Hex: hex.EncodeToString(b)}
		m, err := codec.NewDecoder().Decode(b)
		if err != nil {
			v.Refused = true
			list = append(list, v)
			continue
		}
		sent, err := codec.NewEncoder().Append(nil, m)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		if again, err := codec.NewDecoder().Decode(sent); err != nil || fmt.Sprintf("%+v", notation(again)) != fmt.Sprintf("%+v", notation(m)) {
			t.Errorf("%s: comes back as %+v, %v, want %+v", c.Name, again, err, m)
		}
		v.Value, v.Sent = notation(m), hex.EncodeToString(sent)
		list = append(list, v)
	}
	return list
}

// notation is a value in JSON that says of which kind it is.
func notation(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case []byte:
		if v == nil {
			return nil
		}
		return map[string]string{"bytes": hex.EncodeToString(v)}
	case time.Time:
		return map[string]string{"time": strconv.FormatInt(v.Unix(), 10), "ns": strconv.Itoa(v.Nanosecond())}
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Bool, reflect.String:
		return v
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]string{"int": fmt.Sprint(v)}
	case reflect.Float32, reflect.Float64:
		return map[string]string{"float": floatText(r.Float())}
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if r.IsNil() {
			return nil
		}
	}
	switch r.Kind() {
	case reflect.Pointer:
		return notation(r.Elem().Interface())
	case reflect.Slice, reflect.Array:
		list := make([]any, r.Len())
		for i := range list {
			list[i] = notation(r.Index(i).Interface())
		}
		return list
	case reflect.Map:
		pairs := make([][2]any, 0, r.Len())
		for _, key := range r.MapKeys() {
			pairs = append(pairs, [2]any{notation(key.Interface()), notation(r.MapIndex(key).Interface())})
		}
		slices.SortFunc(pairs, func(a, b [2]any) int { return cmp.Compare(fmt.Sprint(a[0]), fmt.Sprint(b[0])) })
		return map[string]any{"map": pairs}
	case reflect.Struct:
		fields := make(map[string]any)
		for i := range r.NumField() {
			if f := r.Field(i); !f.IsZero() || f.Kind() == reflect.Float64 && math.Signbit(f.Float()) {
				fields[r.Type().Field(i).Name] = notation(f.Interface())
			}
		}
		return map[string]any{"fields": fields}
	}
	return fmt.Sprintf("no notation for %T", v)
}

func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// A unionVector is a payload of a union.
type unionVector struct {
	Name    string `json:"name"`
	Hex     string `json:"hex"`
	Refused bool   `json:"refused,omitempty"`
	Tag     uint64 `json:"tag,omitempty"`
	Value   any    `json:"value,omitempty"`
}

// unionVectors are payloads of the codec union(msgpack), with Tick as case 1 and as case 300.
func unionVectors(t *testing.T) (list []unionVector) {
	codec := qsocket.Union(qsocket.Case[tagged](1, qsocket.Msgpack[Tick]()), qsocket.Case[tagged](300, qsocket.Msgpack[tock]()))
	value := "82 a653796d626f6c a3414243 a55072696365 cb4059600000000000"
	for _, c := range []struct {
		name, payload string
		tag           uint64
	}{
		{"case 1", "01" + value, 1},
		{"case 300", "ac02" + value, 300},
		{"case 1 without fields", "01 80", 1},
		{"case 1 in two bytes", "8100" + value, 0},
		{"a case that is not known", "02" + value, 0},
		{"a tag of more than 64 bits", "ffffffffffffffffff02" + value, 0},
		{"a tag that is cut off", "ac", 0},
		{"no tag", "", 0},
		{"a tag, and nothing behind it", "01", 0},
		{"bytes behind the value", "01 80 80", 0},
	} {
		b := testkit.Unhex(c.payload)
		v := unionVector{Name: c.name, Hex: hex.EncodeToString(b)}
		m, err := codec.NewDecoder().Decode(b)
		if v.Refused = err != nil; v.Refused == (c.tag != 0) {
			t.Errorf("%s: got %v, %v", c.name, m, err)
		}
		if err == nil {
			v.Tag, v.Value = c.tag, notation(m)
		}
		list = append(list, v)
	}
	return list
}

// tock is a Tick under another tag.
type tock Tick

func (tock) isTagged() {}
