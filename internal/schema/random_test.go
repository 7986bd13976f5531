package schema_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// FuzzCompareGrammar compares descriptions of full length that are made of what is dear:
// loops, aliases, long names, deep types, many cases.
func FuzzCompareGrammar(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 7))
		codec := []string{"msgpack", "gob", "json", "cbor"}[r.IntN(4)]
		ours, theirs := describer{r: r, codec: codec}.text(), describer{r: r, codec: codec}.text()
		local, err := schema.Parse(ours)
		if err != nil {
			t.Fatalf("%v in\n%.2000s", err, ours)
		}
		if understood, size := check(t, local, theirs); !understood {
			t.Errorf("not understood: %.2000s", theirs)
		} else if testing.Verbose() {
			t.Logf("%d and %d bytes: %d KiB", len(ours), len(theirs), size>>10)
		}
	})
}

// describer writes random descriptions. What it prefers is drawn anew for each.
type describer struct {
	r     *rand.Rand
	codec string
	defs  int
	names []string
	depth int
}

func (d describer) text() string {
	r := d.r
	d.defs = []int{1, 2, 5, 30, 500}[r.IntN(5)]
	d.depth = []int{0, 1, 3, 28}[r.IntN(4)]
	pool := []int{3, 20, 400, 5000}[r.IntN(4)]
	long := []int{0, 0, 20, 190}[r.IntN(4)]
	for i := range pool {
		name := fmt.Sprintf("%c%d", "nNfF"[r.IntN(4)], i)
		switch r.IntN(4) {
		case 0:
			name += strings.Repeat("x", r.IntN(long+1))
		case 1:
			name += strings.Repeat("\u202e", r.IntN(long/3+1))
		case 2:
			name += strings.Repeat("\x01", r.IntN(long+1))
		}
		d.names = append(d.names, name)
	}
	s := &schema.Schema{Codec: d.codec}
	var defs []*schema.Def
	for i := range d.defs {
		kind := schema.StructDef
		if r.IntN(8) == 0 {
			kind = schema.TupleDef
		}
		defs = append(defs, &schema.Def{Name: fmt.Sprintf("D%d", i), Kind: kind})
	}
	s.Root = &schema.Type{Kind: schema.Named, Def: defs[0]}
	if r.IntN(4) == 0 {
		s.Codec = "union(" + d.codec + ")"
		u := &schema.Def{Name: "U", Kind: schema.UnionDef}
		for i := range 1 + r.IntN([]int{3, 100, 2000}[r.IntN(3)]) {
			u.Variants = append(u.Variants, schema.Variant{Tag: uint64(i), Codec: d.codec, Type: d.typ(defs, r.IntN(d.depth+1))})
		}
		s.Root = &schema.Type{Kind: schema.Named, Def: u}
	}
	// Fields come to definitions that are used, until the text is full.
	for size, rounds := len(ordered(s)), 0; ; {
		from := s.Defs[r.IntN(len(s.Defs))]
		if from.Kind == schema.UnionDef && len(s.Defs) > 1 {
			continue
		} else if from.Kind == schema.UnionDef {
			break
		}
		f := schema.Field{Name: d.names[r.IntN(len(d.names))], Type: d.typ(defs, r.IntN(d.depth+1))}
		if r.IntN(6) == 0 {
			f.Alias = d.names[r.IntN(len(d.names))]
		}
		taken := f.Name == f.Alias
		for _, o := range from.Fields {
			taken = taken || o.Name == f.Name || f.Alias != "" && (o.Name == f.Alias || o.Alias == f.Alias) || o.Alias == f.Name
		}
		// Each definition costs a line, and may have been used for the first time.
		if rounds++; rounds > 20_000 {
			break // the names are used up
		}
		if taken {
			continue
		}
		from.Fields = append(from.Fields, f)
		size += 6*(len(f.Name)+len(f.Alias)) + 80 + 8*d.depth
		if size > schema.MaxText { // at most
			if size = len(ordered(s)); size > schema.MaxText-4000 {
				break
			}
		} else if rounds%64 == 0 {
			ordered(s)
		}
	}
	if text := ordered(s); len(text) <= schema.MaxText {
		return text
	}
	return d.codec + "\nmessage int\n"
}

// typ is a type that is wrapped so often.
func (d describer) typ(defs []*schema.Def, depth int) *schema.Type {
	r := d.r
	if depth == 0 {
		if r.IntN(2) == 0 {
			return &schema.Type{Kind: schema.Named, Def: defs[r.IntN(len(defs))]}
		}
		return schema.BasicType([]schema.Kind{schema.Any, schema.Int, schema.Int8, schema.String, schema.Bytes, schema.Time, schema.Float32, schema.Uint64}[r.IntN(8)])
	}
	elem := d.typ(defs, depth-1)
	switch r.IntN(5) {
	case 0:
		return schema.PointerTo(elem)
	case 1:
		return &schema.Type{Kind: schema.Array, Len: r.IntN(4), Elem: elem}
	case 2:
		return &schema.Type{Kind: schema.Map, Key: d.typ(defs, min(depth-1, r.IntN(2))), Elem: elem}
	}
	return &schema.Type{Kind: schema.Slice, Elem: elem}
}

// ordered puts the definitions of s into the order of their first use, and returns the text.
func ordered(s *schema.Schema) string {
	seen := make(map[*schema.Def]bool)
	s.Defs = nil
	var use func(t *schema.Type)
	use = func(t *schema.Type) {
		if t == nil {
			return
		}
		if t.Kind == schema.Named && !seen[t.Def] {
			seen[t.Def] = true
			s.Defs = append(s.Defs, t.Def)
		}
		use(t.Key)
		use(t.Elem)
	}
	use(s.Root)
	for i := 0; i < len(s.Defs); i++ { // grows
		for _, f := range s.Defs[i].Fields {
			use(f.Type)
		}
		for _, v := range s.Defs[i].Variants {
			use(v.Type)
		}
	}
	return s.String()
}
