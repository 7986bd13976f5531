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

// samples returns the zero value, and the first ones of an enumeration.
func samples(t reflect.Type) (list []reflect.Value) {
	add := func(set func(reflect.Value)) {
		v := reflect.New(t).Elem()
		set(v)
		list = append(list, v)
	}
	add(func(reflect.Value) {})
	switch t.Kind() {
	case reflect.Bool:
		add(func(v reflect.Value) { v.SetBool(true) })
	case reflect.String:
		add(func(v reflect.Value) { v.SetString("x") })
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		for i := range int64(3) {
			add(func(v reflect.Value) { v.SetInt(i + 1) })
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		for i := range uint64(3) {
			add(func(v reflect.Value) { v.SetUint(i + 1) })
		}
	case reflect.Float32, reflect.Float64:
		add(func(v reflect.Value) { v.SetFloat(1) })
	}
	return list
}
