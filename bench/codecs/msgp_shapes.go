package codecs

import (
	"fmt"

	"github.com/fb9bb4ed/qsocket/bench/codecs/shapesmsgp"
	"github.com/fb9bb4ed/qsocket/tests/shapes"
	"github.com/tinylib/msgp/msgp"
)

// msgpShapes has coders that msgp generates, by the names of shapes. They make their value of
// an encoding of it.
var msgpShapes = map[string]func(payload []byte) (shapes.Coder, error){
	"struct of 8 fields, an order":         generated[shapesmsgp.Order],
	"struct of 2 numbers":                  generated[shapesmsgp.Point],
	"struct of all numbers":                generated[shapesmsgp.Numbers],
	"struct of 20 strings":                 generated[shapesmsgp.Texts],
	"struct in struct, 4 levels":           generated[shapesmsgp.Nested],
	"linked list of 20":                    generated[shapesmsgp.Node],
	"tree of 85 nodes":                     generated[shapesmsgp.Tree],
	"[]bool of 1000":                       generated[shapesmsgp.Bools],
	"[]int of 1000":                        generated[shapesmsgp.Ints],
	"[]int64 of 1000, nine bytes":          generated[shapesmsgp.Int64s],
	"[]uint64 of 1000":                     generated[shapesmsgp.Uint64s],
	"[]float32 of 1000":                    generated[shapesmsgp.Float32s],
	"[]float64 of 1000":                    generated[shapesmsgp.Floats],
	"[]string of 100, names":               generated[shapesmsgp.Strings],
	"[]string of 100, sentences":           generated[shapesmsgp.Strings],
	"[]string of 10000, all new":           generated[shapesmsgp.Strings],
	"[][]byte of 100":                      generated[shapesmsgp.Bytes],
	"[]struct of 100 points":               generated[shapesmsgp.Points],
	"[]*struct of 100 points":              generated[shapesmsgp.Pointers],
	"[]struct of 100 orders":               generated[shapesmsgp.Orders],
	"map[string]string of 10":              generated[shapesmsgp.StringMap],
	"map[string]string of 100":             generated[shapesmsgp.StringMap],
	"map[string]bool of 100":               generated[shapesmsgp.BoolMap],
	"map[string]int of 100":                generated[shapesmsgp.IntMap],
	"map[string]float64 of 100":            generated[shapesmsgp.FloatMap],
	"map[string][]string of 50":            generated[shapesmsgp.ListMap],
	"map[string]struct of 50":              generated[shapesmsgp.OrderMap],
	"map[string]any of 100 strings":        generated[shapesmsgp.AnyMap],
	"[]any of 1000 float64":                generated[shapesmsgp.Anys],
	"[]any of 1000 string":                 generated[shapesmsgp.Anys],
	"a document of 50 objects, as any":     generated[shapesmsgp.Anys],
	"a catalogue of maps, as any":          generated[shapesmsgp.AnyMap],
	"coordinates, as any":                  generated[shapesmsgp.AnyMap],
	"posts with Japanese text, as structs": generated[shapesmsgp.Posts],
}

// MsgpShape returns a coder that msgp generates for the shape, if there is one. Generated code
// does not put the keys of maps in order.
func MsgpShape(s shapes.Shape) (c shapes.Coder, ok bool, err error) {
	coder, ok := msgpShapes[s.Name]
	if !ok {
		return c, false, nil
	}
	p, err := s.Own.Encode(1)
	if err == nil {
		c, err = coder(p)
	}
	return c, true, err
}

// methods are what is generated for a T.
type methods[T any] interface {
	*T
	msgp.Marshaler
	msgp.Unmarshaler
}

func generated[T any, P methods[T]](payload []byte) (shapes.Coder, error) {
	v := new(T)
	if _, err := P(v).UnmarshalMsg(payload); err != nil {
		return shapes.Coder{}, fmt.Errorf("msgp: %w", err)
	}
	return shapes.NewCoder(generatedCoder[T, P]{}, generatedCoder[T, P]{}, *v), nil
}

// generatedCoder keeps nothing, as generated code does.
type generatedCoder[T any, P methods[T]] struct{}

func (generatedCoder[T, P]) Append(dst []byte, v T) ([]byte, error) { return P(&v).MarshalMsg(dst) }

func (generatedCoder[T, P]) Decode(payload []byte) (v T, err error) {
	_, err = P(&v).UnmarshalMsg(payload)
	return v, err
}

// MsgpShapes is how many shapes there are that msgp has code for.
var MsgpShapes = len(msgpShapes)
