package mpplan

import "reflect"

// AppendValue is Plan.Append for what p points to, whatever its type is.
func AppendValue(e *Encoder, dst []byte, p any) ([]byte, error) {
	v := reflect.ValueOf(p)
	return e.append(dst, nodeFor(v.Type().Elem()), v.UnsafePointer())
}

// ValidUTF8 is validUTF8.
var ValidUTF8 = validUTF8

// DecodeValue is Plan.Decode for what p points to, whatever its type is.
func DecodeValue(d *Decoder, payload []byte, p any) error {
	v := reflect.ValueOf(p)
	return d.decode(payload, nodeFor(v.Type().Elem()), v.UnsafePointer())
}
