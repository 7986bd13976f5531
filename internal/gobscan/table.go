package gobscan

// table is a map that takes little memory while it has few entries, as most have.
type table[K comparable, V any] struct {
	few  []pair[K, V]
	many map[K]V
}

type pair[K comparable, V any] struct {
	key  K
	elem V
}

// fewPairs is how many entries are searched one by one.
const fewPairs = 4

// get returns the element for key, or the zero V.
func (t *table[K, V]) get(key K) (elem V) {
	if t.many != nil {
		return t.many[key]
	}
	for i := range t.few {
		if t.few[i].key == key {
			return t.few[i].elem
		}
	}
	return elem
}

// put adds an element for a key that has none.
func (t *table[K, V]) put(key K, elem V) {
	switch {
	case t.many != nil:
		t.many[key] = elem
	case len(t.few) < fewPairs:
		t.few = append(t.few, pair[K, V]{key, elem})
	default:
		t.many = make(map[K]V)
		for _, p := range t.few {
			t.many[p.key] = p.elem
		}
		t.few = nil
		t.many[key] = elem
	}
}

// all calls f for each element.
func (t *table[K, V]) all(f func(V)) {
	for _, p := range t.few {
		f(p.elem)
	}
	for _, elem := range t.many {
		f(elem)
	}
}
