package main

import (
	"fmt"
	"go/types"
	"strings"
)

// describe returns a line for each exported name of pkg and of its types.
func describe(pkg *types.Package) []string {
	var lines []string
	p := printer{pkg: pkg}
	add := func(format string, args ...any) {
		lines = append(lines, "pkg "+pkg.Path()+", "+fmt.Sprintf(format, args...))
	}
	for _, name := range pkg.Scope().Names() {
		o := pkg.Scope().Lookup(name)
		if !o.Exported() {
			continue
		}
		switch o := o.(type) {
		case *types.Const:
			add("const %s %s = %s", name, p.text(o.Type()), o.Val().ExactString())
		case *types.Var:
			add("var %s %s", name, p.text(o.Type()))
		case *types.Func:
			s := o.Signature()
			q := p.with(s.TypeParams())
			add("func %s%s%s", name, q.declared(s.TypeParams()), q.signature(s))
		case *types.TypeName:
			for _, line := range p.typeLines(o) {
				add("%s", line)
			}
		}
	}
	return lines
}

// typeLines returns the lines of a type, its fields and its methods.
func (p printer) typeLines(o *types.TypeName) []string {
	if o.IsAlias() {
		target := o.Type()
		if a, ok := target.(*types.Alias); ok {
			target = a.Rhs()
		}
		return []string{"type " + o.Name() + " = " + p.text(target)}
	}
	named := o.Type().(*types.Named)
	p = p.with(named.TypeParams())
	head := "type " + o.Name() + p.declared(named.TypeParams())
	var lines []string
	switch u := named.Underlying().(type) {
	case *types.Struct:
		lines = append(lines, head+" struct")
		lines = append(lines, p.fieldLines(head, u)...)
	case *types.Interface:
		closed := ""
		for m := range u.Methods() {
			if m.Exported() {
				lines = append(lines, head+" interface, "+m.Name()+p.signature(m.Signature()))
			} else {
				closed = " with unexported methods"
			}
		}
		for e := range u.EmbeddedTypes() {
			if _, union := e.(*types.Union); union {
				lines = append(lines, head+" interface, "+p.text(e))
			}
		}
		return append(lines, head+" interface"+closed)
	default:
		lines = append(lines, head+" "+p.text(u))
	}
	// With those of embedded fields, as callers see them.
	values := types.NewMethodSet(named)
	for m := range types.NewMethodSet(types.NewPointer(named)).Methods() {
		f := m.Obj().(*types.Func)
		if !f.Exported() {
			continue
		}
		receiver := "*" + p.text(named)
		if values.Lookup(p.pkg, f.Name()) != nil {
			receiver = p.text(named)
		}
		lines = append(lines, "method ("+receiver+") "+f.Name()+p.signature(m.Type().(*types.Signature)))
	}
	return lines
}

// fieldLines returns the lines of exported fields, also those of embedded structs
// that are not exported.
func (p printer) fieldLines(head string, s *types.Struct) []string {
	var lines []string
	for f := range s.Fields() {
		inner, isStruct := f.Type().Underlying().(*types.Struct)
		switch {
		case f.Exported() && f.Embedded():
			lines = append(lines, head+" struct, embedded "+p.text(f.Type()))
		case f.Exported():
			lines = append(lines, head+" struct, "+f.Name()+" "+p.text(f.Type()))
		case f.Embedded() && isStruct:
			lines = append(lines, p.fieldLines(head, inner)...)
		}
	}
	return lines
}

// printer writes types without the names of parameters.
type printer struct {
	pkg    *types.Package
	params []*types.TypeParam // $0, $1, …
}

// with returns a printer for what is declared with these type parameters.
func (p printer) with(list *types.TypeParamList) printer {
	p.params = nil
	for t := range list.TypeParams() {
		p.params = append(p.params, t)
	}
	return p
}

// declared returns the type parameters with their constraints.
func (p printer) declared(list *types.TypeParamList) string {
	var all []string
	for t := range list.TypeParams() {
		all = append(all, p.text(t)+" "+p.text(t.Constraint()))
	}
	if len(all) == 0 {
		return ""
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func (p printer) signature(s *types.Signature) string {
	var in, out []string
	for v := range s.Params().Variables() {
		in = append(in, p.text(v.Type()))
	}
	if s.Variadic() {
		in[len(in)-1] = "..." + strings.TrimPrefix(in[len(in)-1], "[]")
	}
	for v := range s.Results().Variables() {
		out = append(out, p.text(v.Type()))
	}
	text := "(" + strings.Join(in, ", ") + ")"
	switch len(out) {
	case 0:
		return text
	case 1:
		return text + " " + out[0]
	}
	return text + " (" + strings.Join(out, ", ") + ")"
}

func (p printer) text(t types.Type) string {
	switch t := t.(type) {
	case *types.TypeParam:
		for i, param := range p.params {
			if t.Index() == param.Index() { // a method has type parameters of its own, in the same order
				return fmt.Sprint("$", i)
			}
		}
	case *types.Named:
		return p.qualified(t.Obj()) + p.arguments(t.TypeArgs())
	case *types.Alias:
		return p.qualified(t.Obj()) + p.arguments(t.TypeArgs())
	case *types.Pointer:
		return "*" + p.text(t.Elem())
	case *types.Slice:
		return "[]" + p.text(t.Elem())
	case *types.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), p.text(t.Elem()))
	case *types.Map:
		return "map[" + p.text(t.Key()) + "]" + p.text(t.Elem())
	case *types.Chan:
		return []string{"chan ", "chan<- ", "<-chan "}[t.Dir()] + p.text(t.Elem())
	case *types.Signature:
		return "func" + p.signature(t)
	case *types.Struct:
		var fields []string
		for f := range t.Fields() {
			fields = append(fields, f.Name()+" "+p.text(f.Type()))
		}
		return "struct{" + strings.Join(fields, "; ") + "}"
	case *types.Interface:
		var parts []string
		for m := range t.ExplicitMethods() {
			parts = append(parts, m.Name()+p.signature(m.Signature()))
		}
		for e := range t.EmbeddedTypes() {
			parts = append(parts, p.text(e))
		}
		return "interface{" + strings.Join(parts, "; ") + "}"
	case *types.Union:
		var terms []string
		for term := range t.Terms() {
			tilde := ""
			if term.Tilde() {
				tilde = "~"
			}
			terms = append(terms, tilde+p.text(term.Type()))
		}
		return strings.Join(terms, " | ")
	}
	return types.TypeString(t, (*types.Package).Path) // a basic type
}

func (p printer) arguments(list *types.TypeList) string {
	var all []string
	for t := range list.Types() {
		all = append(all, p.text(t))
	}
	if len(all) == 0 {
		return ""
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// qualified returns the name with its package, but for the package described.
func (p printer) qualified(o *types.TypeName) string {
	if o.Pkg() == nil || o.Pkg() == p.pkg {
		return o.Name()
	}
	return o.Pkg().Path() + "." + o.Name()
}
