package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const before = `package p

type Codec[T any] interface {
	Name() string
	Append(dst []byte, v T) (out []byte, err error)
}

type Options struct {
	MaxFrame int
	OnEnd    func(err error)
	inner
}

type inner struct{ Timeout int }

func (i inner) Limit() int { return i.Timeout }

type Conn[T any] struct{ next T }

func (c *Conn[T]) Send(v T) error { return nil }
func (c *Conn[T]) Recv() (v T, ok bool) { return }
func (c *Conn[T]) hidden() {}

type Level uint8

const High Level = 2

type Number interface{ ~int | ~int64 }

var ErrGone error

func Dial[T, U Number](network string, opts ...Options) *Conn[T] { return nil }
func hidden() {}

type Alias = map[string]*Level
`

func TestDescribe(t *testing.T) {
	want := []string{
		"const High Level = 2",
		"func Dial[$0 Number, $1 Number](string, ...Options) *Conn[$0]",
		"method (*Conn) Recv() ($0, bool)",
		"method (*Conn) Send($0) error",
		"method (Options) Limit() int",
		"type Alias = map[string]*Level",
		"type Codec[$0 any] interface",
		"type Codec[$0 any] interface, Append([]byte, $0) ([]byte, error)",
		"type Codec[$0 any] interface, Name() string",
		"type Conn[$0 any] struct",
		"type Level uint8",
		"type Number interface",
		"type Number interface, ~int | ~int64",
		"type Options struct",
		"type Options struct, MaxFrame int",
		"type Options struct, OnEnd func(error)",
		"type Options struct, Timeout int",
		"var ErrGone error",
	}
	var got []string
	for _, line := range lines(t, before) {
		got = append(got, strings.TrimPrefix(line, "pkg p, "))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// Every change that can be seen from outside is found, and no other is.
func TestDiff(t *testing.T) {
	for _, test := range []struct {
		name, from, to string
		want           string
	}{
		{"a removed method", "func (c *Conn[T]) Send(v T) error { return nil }\n", "", "- pkg p, method (*Conn) Send($0) error\n"},
		{"a field's type", "MaxFrame int", "MaxFrame int64", "- pkg p, type Options struct, MaxFrame int\n+ pkg p, type Options struct, MaxFrame int64\n"},
		{"a new function", "func hidden() {}", "func Shown() {}", "+ pkg p, func Shown()\n"},
		{"a constant's value", "Level = 2", "Level = 3", "- pkg p, const High Level = 2\n+ pkg p, const High Level = 3\n"},
		{"a method of an interface", "Name() string", "Name() string; Stateless() bool", "+ pkg p, type Codec[$0 any] interface, Stateless() bool\n"},
		{"a constraint", "type Conn[T any]", "type Conn[T comparable]", "- pkg p, type Conn[$0 any] struct\n+ pkg p, type Conn[$0 comparable] struct\n"},
		{"a promoted field", "Timeout int }", "Timeout, Patience int }", "+ pkg p, type Options struct, Patience int\n"},
		{"a parameter's name", "network string", "net string", ""},
		{"a type parameter's name", "func Dial[T, U Number](network string, opts ...Options) *Conn[T]", "func Dial[A, B Number](network string, opts ...Options) *Conn[A]", ""},
		{"what is not exported", "next T", "next, last T", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if strings.Count(before, test.from) != 1 {
				t.Fatalf("%q is not there, or more than once", test.from)
			}
			after := strings.Replace(before, test.from, test.to, 1)
			if got := diff(lines(t, before), lines(t, after)); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

// lines describes a package of that source.
func lines(t *testing.T, source string) []string {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := new(types.Config).Check("p", fset, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(slices.Values(describe(pkg)))
}
