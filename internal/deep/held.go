package deep

import "reflect"

// What interfaces hold is mostly what a decoder without types makes, or programs write down as
// literals: that is looked at here without reflection.

// held looks at x, which an interface holds, and reports false for what it does not know.
func (w *walk) held(x any, level int, counted bool) (known bool, err error) {
	switch x := x.(type) {
	case bool, int, int64, float64:
		if w.rules.Least.Names || counted { // else it is left out if it is zero
			return true, w.count(1, counted)
		}
		return true, nil
	case string:
		return true, w.count(len(x), false)
	case map[string]any:
		if level == w.rules.Max {
			return true, w.tooDeep()
		}
		return true, w.object(x, level+1, counted)
	case []any:
		if level == w.rules.Max {
			return true, w.tooDeep()
		}
		return true, w.list(x, level+1, counted)
	}
	return false, nil
}

func (w *walk) object(m map[string]any, level int, counted bool) error {
	if err := w.count(1+times(len(m), w.rules.Least.Entry), counted); err != nil {
		return err
	}
	for name, x := range m {
		if w.least += len(name); w.least > w.limit {
			return w.count(0, false)
		}
		if err := w.inside(x, level); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) list(list []any, level int, counted bool) error {
	if len(list) == 0 && !counted {
		return nil
	}
	if err := w.count(1+times(len(list), w.rules.Least.Elem), counted); err != nil {
		return err
	}
	for _, x := range list {
		if err := w.inside(x, level); err != nil {
			return err
		}
	}
	return nil
}

// inside looks at what an interface holds that is an element of something.
func (w *walk) inside(x any, level int) error {
	if x == nil {
		return nil
	}
	known, err := w.held(x, level, true)
	if known {
		return err
	}
	v := reflect.ValueOf(x)
	p, err := w.rules.heldPlan(v.Type())
	if err != nil {
		return err
	}
	w.inner++
	err = w.value(p, v, level, 1, true)
	w.inner--
	return err
}

// heldPlan returns the plan of a type that an interface holds, or why that cannot be sent.
func (r *Rules) heldPlan(t reflect.Type) (*Plan, error) {
	if r.Held != nil {
		if err := r.Held(t); err != nil {
			return nil, err
		}
	}
	return r.plan(t), nil
}
