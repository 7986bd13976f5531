package mpplan_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
)

// A type that is only known at run time is encoded and decoded as by its Plan.
func TestUntyped(t *testing.T) {
	type leg struct{ Qty int }
	type order struct {
		ID   uint64
		Legs []leg
		Note *string
	}
	note := "x"
	want := order{1 << 40, []leg{{1}, {-2}}, &note}
	payload, err := mpplan.For[order]().Append(new(mpplan.Encoder), nil, &want)
	if err != nil {
		t.Fatal(err)
	}
	plan := mpplan.Of(reflect.TypeFor[order]())
	got, err := plan.Append(new(mpplan.Encoder), nil, reflect.ValueOf(&want))
	if err != nil || string(got) != string(payload) {
		t.Errorf("got % x, %v, want % x", got, err, payload)
	}
	v := reflect.New(reflect.TypeFor[order]())
	if err := plan.Decode(new(mpplan.Decoder), payload, v); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, v.Elem().Interface()); diff != "" {
		t.Error(diff)
	}
	if err := plan.Decode(new(mpplan.Decoder), payload[:5], reflect.New(reflect.TypeFor[order]())); err == nil {
		t.Error("half of a payload: got no error")
	}
	defer func() {
		if recover() == nil {
			t.Error("a pointer to another type: got no panic")
		}
	}()
	_ = plan.Decode(new(mpplan.Decoder), payload, reflect.ValueOf(new(int)))
}
