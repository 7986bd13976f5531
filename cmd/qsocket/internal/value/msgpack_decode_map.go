package value

import (
	"fmt"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// mapping appends a map. Where its keys are texts or integers, they are those of an object.
func (d *decoder) mapping(t *schema.Type) error {
	begin := d.i
	h := d.next()
	if h.kind != mapToken {
		return mismatch(h, "a map")
	}
	switch {
	case isInt(t.Key.Kind):
		return d.object(h.count, func() (string, error) {
			key := d.next()
			if key.kind == nilToken {
				return "0", nil
			}
			if key.kind != intToken {
				return "", fmt.Errorf("%s is a key, want %s", key.format(), kindName(t.Key.Kind))
			}
			return key.num.String(), key.num.fits(t.Key.Kind)
		}, func() error { return d.value(t.Elem) })
	case t.Key.Kind == schema.String && !d.odd[begin]:
		return d.object(h.count, d.plainKey, func() error { return d.value(t.Elem) })
	}
	return d.pairs(h.count, func() error { return d.value(t.Key) }, func() error { return d.value(t.Elem) })
}

func (d *decoder) plainKey() (string, error) { return string(d.next().data), nil }

// object appends an object of count entries.
func (d *decoder) object(count int, key func() (string, error), elem func() error) error {
	seen := make(map[string]bool)
	d.byte('{')
	for i := range count {
		if i > 0 {
			d.byte(',')
		}
		k, err := key()
		if err != nil {
			return err
		}
		if seen[k] {
			return fmt.Errorf("the key %s is there twice", clip(k))
		}
		seen[k] = true
		d.writer.string([]byte(k))
		d.byte(':')
		if err := elem(); err != nil {
			return at("["+clip(k)+"]", err)
		}
	}
	d.byte('}')
	return nil
}

// pairs appends the entries of a map that no object stands for.
func (d *decoder) pairs(count int, key, elem func() error) error {
	d.open("$map")
	d.byte('[')
	seen := make(map[string]bool)
	for i := range count {
		if i > 0 {
			d.byte(',')
		}
		d.byte('[')
		from := len(d.writer.b)
		if err := key(); err != nil {
			return at(element(i)+" key", err)
		}
		if text := string(d.writer.b[from:]); seen[text] {
			return at(element(i), fmt.Errorf("the key %s is there twice", clip(text)))
		} else {
			seen[text] = true
		}
		d.byte(',')
		if err := elem(); err != nil {
			return at(element(i), err)
		}
		d.byte(']')
	}
	d.writer.b = append(d.writer.b, "]}"...)
	return nil
}
