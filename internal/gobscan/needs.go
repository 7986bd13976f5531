package gobscan

import "reflect"

// needs adds up what a Scanner keeps for Go types if the peer has the same ones, by the
// amounts that it charges for those of the peer.
type needs struct {
	seen  map[reflect.Type]struct{} // behind pointers
	bytes uint64
}

// add adds what t needs, and all that it leads to.
func (n *needs) add(t reflect.Type) {
	for open := []reflect.Type{t}; len(open) > 0; {
		t, _ := deref(open[len(open)-1])
		open = open[:len(open)-1]
		if _, ok := n.seen[t]; ok {
			continue
		}
		n.seen[t] = struct{}{}
		n.bytes += entries(slotSeen)
		if _, isBasic := basic(t); isBasic && !hasMethods(t) {
			continue
		}
		size, fields := 32+uint64(len(t.String())), uint64(0) // of the definition
		switch {
		case hasMethods(t):
		case t.Kind() == reflect.Struct:
			for i := range t.NumField() {
				if f := t.Field(i); f.IsExported() {
					size += 12 + uint64(len(f.Name))
					fields++
					open = append(open, f.Type)
				}
			}
			n.bytes += keptEngine(fields, true) + n.nodes(t)
		case t.Kind() == reflect.Map:
			open = append(open, t.Key(), t.Elem())
		case t.Kind() == reflect.Slice, t.Kind() == reflect.Array:
			open = append(open, t.Elem())
		}
		n.bytes += keptFields(size, fields)
	}
}

// nodes returns what the nodes of a struct take: one for each type in it.
func (n *needs) nodes(t reflect.Type) (size uint64) {
	seen := make(map[reflect.Type]struct{})
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		if _, ok := seen[t]; ok {
			return
		}
		seen[t] = struct{}{}
		base, _ := deref(t)
		if _, isBasic := basic(base); isBasic || hasMethods(t) {
			return // has a node that all share
		}
		size += keptNode(t)
		switch base.Kind() {
		case reflect.Map:
			visit(base.Key())
			visit(base.Elem())
		case reflect.Slice, reflect.Array:
			visit(base.Elem())
		}
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() {
			visit(f.Type)
		}
	}
	return size
}
