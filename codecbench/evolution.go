package codecbench

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// What a codec makes of a message whose type has changed at one end is found out by
// trying: a sample is written as a peer would whose struct has a field more, or less, and so
// on, and the codec decodes it. A Codec[T] writes no other type than T, so the writer is
// one of the formats.

// An outcome is what a receiver has of a message of another version.
type outcome string

const (
	works outcome = "works"         // what both versions have has arrived, and no more
	lost  outcome = "lost"          // the field is zero at the receiver
	wrong outcome = "arrives wrong" // without an error
	fails outcome = "error"
)

// evolution returns what becomes of a field that is added, removed or renamed, and of a number that
// is widened, in a line; "" if T is no struct.
func (s *subject[T]) evolution() (line string) {
	t := structType[T]()
	if t == nil {
		return ""
	}
	defer func() {
		if v := recover(); v != nil { // of a codec, or of a struct that package reflect cannot make
			line = fmt.Sprintf("not tried: panic: %v", v)
		}
	}()
	tr := trial[T]{subject: s, fields: carried(t)}
	begun := -1
	for i, sample := range s.samples {
		switch {
		case !tr.begin(sample):
		case tr.last() >= 0:
			return tr.line()
		case begun < 0:
			begun = i // an empty one is better than none
		}
	}
	if begun >= 0 && tr.begin(s.samples[begun]) {
		return tr.line()
	}
	return "not tried: it does not decode a struct that was written as MessagePack, JSON or gob"
}

// structType returns the struct that T is or points to, or nil.
func structType[T any]() reflect.Type {
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	return t
}

// carried returns the fields that codecs carry.
func carried(t reflect.Type) []reflect.StructField {
	var fields []reflect.StructField
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() {
			fields = append(fields, f)
		}
	}
	return fields
}

// A trial is a sample that the codec decodes as it is when a format writes it, so
// that what differs afterwards is due to the change.
type trial[T any] struct {
	*subject[T]
	fields []reflect.StructField
	sample T             // as it comes back
	value  reflect.Value // that struct, which can be set
	write  format
}

// begin finds the format in which the codec sends v, or one that it reads; false if there is none.
func (t *trial[T]) begin(v T) bool {
	enc, dec, err := t.ends()
	if err != nil {
		return false
	}
	payload, err := enc.Append(nil, v)
	if err != nil {
		return false
	}
	if t.sample, err = dec.Decode(payload); err != nil {
		return false
	}
	t.value = reflect.ValueOf(&t.sample).Elem()
	if !isTree(t.value) {
		return false
	}
	if t.value.Kind() == reflect.Pointer {
		if t.value.IsNil() {
			return false
		}
		t.value = t.value.Elem()
	}
	var readable []format
	for _, f := range formats {
		t.write = f
		same, err := f(t.sent(nil))
		switch {
		case err != nil || t.outcome(nil, t.value) != works:
		case bytes.Equal(same, payload):
			return true
		default:
			readable = append(readable, f)
		}
	}
	if len(readable) > 0 {
		t.write = readable[0]
	}
	return len(readable) > 0
}

// A change is what the peer has in place of the fields: other ones with their values.
type change func(fields []reflect.StructField, values []reflect.Value) ([]reflect.StructField, []reflect.Value)

// sent returns the sample as a peer with that change has it.
func (t *trial[T]) sent(c change) reflect.Value {
	fields, values := slices.Clone(t.fields), make([]reflect.Value, len(t.fields))
	for i, f := range fields {
		values[i] = t.value.FieldByIndex(f.Index)
	}
	if c != nil {
		fields, values = c(fields, values)
	}
	for i := range fields {
		fields[i].Index, fields[i].Offset = nil, 0
	}
	v := reflect.New(reflect.StructOf(fields)).Elem()
	for i := range fields {
		v.Field(i).Set(values[i])
	}
	return v
}

// outcome returns what the codec makes of what the peer sends, where want is to arrive.
func (t *trial[T]) outcome(c change, want reflect.Value) outcome {
	payload, err := t.write(t.sent(c))
	if err != nil {
		return fails
	}
	_, dec, err := t.ends()
	if err != nil {
		return fails
	}
	got, err := dec.Decode(payload)
	if err != nil {
		return fails
	}
	v := reflect.ValueOf(&got).Elem()
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if !v.IsValid() || compareValues("", want, v, 0) != "" {
		return wrong
	}
	return works
}

// line tries every change.
func (t *trial[T]) line() string {
	more, less, renamed := t.added(), fails, fails
	var parts []string
	if at := t.last(); at >= 0 {
		less, renamed = t.removed(at), t.renamed(at)
		parts = append(parts, "field added: "+both(more, less), "removed: "+both(less, more), "renamed: "+string(renamed))
	} else {
		parts = append(parts, "field added: "+string(more)+" for old peers")
	}
	if w := t.widened(); w != "" {
		parts = append(parts, w)
	}
	return strings.Join(parts, "; ")
}

// both says what a change does, by what old peers make of new messages and new ones of old.
func both(oldReadsNew, newReadsOld outcome) string {
	if oldReadsNew == newReadsOld {
		return string(oldReadsNew)
	}
	return fmt.Sprintf("%s for old peers, %s for new ones", oldReadsNew, newReadsOld)
}
