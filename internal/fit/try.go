package fit

import "reflect"

// Try returns an error with which a decoder refuses what the encoder makes of simple values
// of type t: nil if it takes one of them, or if none can be encoded. exchange encodes v,
// which can be addressed, and decodes that to where into points to.
func Try(t reflect.Type, exchange func(v, into reflect.Value) (err, refused error)) (last error) {
	for _, v := range samples(t) {
		switch ok, refused := attempt(v, exchange); {
		case !ok:
		case refused == nil:
			return nil
		case last == nil:
			last = refused
		}
	}
	return last
}

// attempt reports whether v can be encoded. A method that panics says nothing of its type.
func attempt(v reflect.Value, exchange func(v, into reflect.Value) (err, refused error)) (ok bool, refused error) {
	defer func() {
		if recover() != nil {
			ok, refused = false, nil
		}
	}()
	err, refused := exchange(v, reflect.New(v.Type()))
	return err == nil, refused
}

// samples returns the zero value, and the first ones of an enumeration; of types with parts,
// those with such parts. A nil says nothing: it is the same whatever methods do.
func samples(t reflect.Type) (list []reflect.Value) {
	for i := range 4 {
		v := reflect.New(t).Elem()
		fill(v, i, 0)
		list = append(list, v)
	}
	return list
}

// fill makes v what its type has in place number i.
func fill(v reflect.Value, i, depth int) {
	if depth > 3 || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(i%2 == 1)
	case reflect.String:
		v.SetString([]string{"", "x", "1", "2"}[i])
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(i))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(uint64(i))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(i))
	case reflect.Pointer:
		if i > 0 && depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), i, depth+1)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), min(i, 2), 2))
		fallthrough
	case reflect.Array:
		for k := range min(v.Len(), 4) {
			fill(v.Index(k), i, depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, i, depth+1)
		fill(elem, i, depth+1)
		if i > 0 && key.Comparable() {
			v.SetMapIndex(key, elem)
		}
	case reflect.Struct:
		for k := range v.NumField() {
			fill(v.Field(k), i, depth+1)
		}
	}
}
