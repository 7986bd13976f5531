package mpscan

import "fmt"

// Outline follows a value while it is written by somebody who may never come to an end:
// an encoder that calls itself for a value that contains itself. The zero Outline is ready
// for a value.
type Outline struct {
	at   int              // where the next token begins
	left [MaxDepth]uint64 // values that are missing in each container that is open
	open int              // containers that are open
	done bool             // the value is complete
}

// Grow looks at what has been added to b, which begins with the value. It returns an error
// if something follows the value, or containers are open inside each other in more levels
// than are left of MaxDepth, of which outer are in use. What is malformed is left to those
// who see it whole.
func (o *Outline) Grow(b []byte, outer int) error {
	for o.at < len(b) {
		if o.done {
			return fmt.Errorf("more than one value, or one that contains itself")
		}
		f := &formats[b[o.at]]
		need := 1 + int(f.width)
		if f.kind == ext {
			need++
		}
		if len(b)-o.at < need {
			return nil // the rest of the header is still to come
		}
		t := tokenAt(b, o.at)
		o.at = t.end
		values := uint64(0)
		switch t.kind {
		case array:
			values = uint64(t.count)
		case object:
			values = 2 * uint64(t.count)
		}
		if values > 0 {
			if outer+o.open >= MaxDepth {
				return fmt.Errorf("it is nested deeper than %d levels, or contains itself", MaxDepth)
			}
			o.left[o.open] = values
			o.open++
			continue
		}
		o.complete()
	}
	return nil
}

// complete notes that a value is complete, and with it perhaps the containers that it is
// in.
func (o *Outline) complete() {
	for o.open > 0 {
		if o.left[o.open-1]--; o.left[o.open-1] > 0 {
			return
		}
		o.open--
	}
	o.done = true
}
