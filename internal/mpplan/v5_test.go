package mpplan_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
	"github.com/fb9bb4ed/qsocket/internal/mpscan"
	"github.com/vmihailenco/msgpack/v5"
)

// Random values of many types are encoded to the bytes that v5 writes.
func TestEncodeAsV5(t *testing.T) {
	for _, s := range subjects() {
		t.Run(s.typ.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for range 400 {
				v := reflect.New(s.typ)
				random(r, v.Elem(), 0)
				for _, arrays := range []bool{false, true} {
					got, gotErr := s.encode(v.Interface(), mpplan.Options{Arrays: arrays})
					want, wantErr := v5Encode(v.Interface(), arrays)
					if wantErr != nil && strings.Contains(wantErr.Error(), "non-addressable") {
						continue // v5 cannot call methods of pointers to what maps and interfaces hold
					}
					if (gotErr != nil) != (wantErr != nil) || wantErr == nil && !bytes.Equal(got, want) {
						t.Fatalf("%+v:\ngot  %x, %v\nwant %x, %v", v.Elem(), got, gotErr, want, wantErr)
					}
				}
			}
		})
	}
}

// v5Decode decodes p, which may be hostile, as far as that is possible.
func v5Decode(t reflect.Type, p []byte) (v any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	var s mpscan.Scanner
	if err := s.Scan(p); err != nil {
		return nil, err
	}
	var r mpscan.Reader
	r.Reset(p, &s, false)
	out := reflect.New(t)
	if err := msgpack.NewDecoder(&r).Decode(out.Interface()); err != nil {
		return nil, err
	}
	return out.Interface(), nil
}

// refusals are the reasons for which a plan refuses what v5 accepts.
var refusals = []string{
	"overflows",      // v5 cuts integers
	"is no float",    // v5 rounds integers
	"is there twice", // v5 takes the last one
	"different keys",
	"not UTF-8", // of a bin that becomes a string
	"takes more memory than MaxExpansion",
	"is not exported",        // v5 calls what it finds nil or panics
	"nanoseconds, want 0 to", // v5 makes another second of them
	"where the binary form",  // v5 takes a string for it
}

// extras are what v5 says of what a plan accepts.
var extras = []string{
	"ext len", // a time in its older forms is accepted everywhere
	"panic: ", // nil for a type with methods on values, text for an error from a bin
	"invalid time ext",
	"got ext type=13",
	"nonaddressable", // keys and elements of maps can have methods on pointers
}

// large reports whether p may have an integer from 1<<63 on. v5 takes it for a
// negative one where it expects a float.
func large(p []byte) bool {
	for i := range len(p) - 1 {
		if p[i] == 0xcf && p[i+1] >= 0x80 {
			return true
		}
	}
	return false
}

// compare decodes p by plan and by v5. They agree, or the reason is listed.
func compare(t *testing.T, s subject, p []byte) {
	got, gotErr := s.decode(p, defaults)
	want, wantErr := v5Decode(s.typ, p)
	switch {
	case gotErr != nil && wantErr != nil:
	case gotErr != nil:
		if !contains(gotErr.Error(), refusals) {
			t.Errorf("%v from %x: got error %v, want %+v", s.typ, p, gotErr, want)
		}
	case wantErr != nil:
		if !contains(wantErr.Error(), extras) {
			t.Errorf("%v from %x: got %+v, want error %v", s.typ, p, got, wantErr)
		}
	default:
		a, err1 := s.encode(got, mpplan.Options{InvalidUTF8: true})
		b, err2 := s.encode(want, mpplan.Options{InvalidUTF8: true})
		if (err1 != nil) != (err2 != nil) || !bytes.Equal(a, b) && !large(p) {
			t.Errorf("%v from %x:\ngot  %+v, %v\nwant %+v, %v", s.typ, p, got, err1, want, err2)
		}
	}
}

func contains(s string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// Payloads of each type are decoded as that type and as all others, as they are
// and with small changes.
func TestDecodeAsV5(t *testing.T) {
	all := subjects()
	r := rand.New(rand.NewPCG(3, 4))
	for _, from := range all {
		t.Run(from.typ.String(), func(t *testing.T) {
			for range 60 {
				v := reflect.New(from.typ)
				random(r, v.Elem(), 0)
				p, err := from.encode(v.Interface(), mpplan.Options{Arrays: r.IntN(4) == 0})
				if err != nil {
					t.Fatal(err)
				}
				compare(t, from, p)
				for _, to := range all {
					compare(t, to, p)
				}
				for range 60 {
					compare(t, from, mutate(r, p))
				}
				if t.Failed() {
					return
				}
			}
		})
	}
}

// mutate changes a byte or two of p, to one that begins a value more often than not.
func mutate(r *rand.Rand, p []byte) []byte {
	p = bytes.Clone(p)
	for range 1 + r.IntN(2) {
		if len(p) == 0 {
			return p
		}
		i := r.IntN(len(p))
		switch r.IntN(4) {
		case 0:
			p[i] = byte(r.Uint32())
		case 1:
			p[i] = []byte{0xc0, 0xc2, 0xca, 0xcb, 0xcc, 0xcd, 0xd0, 0xd1, 0xd6, 0xa1, 0x80, 0x90, 0x91, 0x81, 0xc4, 0xd4}[r.IntN(16)]
		case 2:
			p = append(p[:i], p[i+1:]...)
		case 3:
			p = append(p[:i], append([]byte{0xc0, 0x01, 0xff, 0xa0, 0x90, 0x80}[r.IntN(6):], p[i:]...)...)
		}
	}
	return p
}

// FuzzDecode compares plan and v5 as TestDecodeAsV5 does.
func FuzzDecode(f *testing.F) {
	all := subjects()
	r := rand.New(rand.NewPCG(5, 6))
	for i, s := range all {
		v := reflect.New(s.typ)
		random(r, v.Elem(), 0)
		p, err := s.encode(v.Interface(), defaults)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), p)
	}
	f.Fuzz(func(t *testing.T, i uint8, p []byte) {
		compare(t, all[int(i)%len(all)], p)
	})
}
