package pickle

import (
	"reflect"
	"strconv"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
)

// trail is the way to where an error happened, from the inside out: it is collected while
// the recursion unwinds.
type trail []string

func (t *trail) in(step string) bool {
	*t = append(*t, step)
	return false
}

func (t *trail) inElement(i int) bool     { return t.in("[" + strconv.Itoa(i) + "]") }
func (t *trail) inEntry(key string) bool  { return t.in("[" + key + "]") }
func (t *trail) inKey() bool              { return t.in(" key") }
func (t *trail) inField(name string) bool { return t.in("." + name) }

// wrap returns err with the type of the message, and the way through it.
func (t trail) wrap(typ reflect.Type, err error) error {
	for typ.Kind() == reflect.Pointer && typ.Name() == "" {
		typ = typ.Elem()
	}
	way := typ.Name()
	if way == "" {
		way = "message"
	}
	for i := len(t) - 1; i >= 0 && len(way) <= excerpt.MaxName; i-- {
		way += t[i]
	}
	return excerpt.Wrap("pickle: "+excerpt.Text(way, excerpt.MaxName)+": ", err)
}

func show(key reflect.Value) string { return excerpt.Key(key) }

func showAny(key any) string {
	if key == nil {
		return "nil"
	}
	return show(reflect.ValueOf(key))
}

// quote shortens and quotes a key.
func quote(s string) string { return excerpt.Quote(s, 40) }
