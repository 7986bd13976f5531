package schema

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"
)

type (
	// schOrder has something of everything that codecs treat in a way of their own.
	schOrder struct {
		ID      uint64
		Price   float64 `msgpack:"price,alias:px" json:"the price,string"`
		At      time.Time
		For     time.Duration `json:",omitempty" msgpack:",omitempty"`
		Side    evoSide
		Data    []byte
		Hash    [4]byte
		Legs    []schLeg
		ByName  map[string]*schLeg
		ByID    map[int64][]string
		Page    schPage[schLeg]
		Next    *schOrder
		Far     **schOrder
		Any     any
		Err     error
		Big     *big.Int
		Addr    netip.Addr
		Raw     json.RawMessage
		RawM    msgpack.RawMessage
		List    schList
		Kept    string `json:"-" msgpack:"-"`
		Func    func() `json:"-" msgpack:"-"`
		private int
		schEmbedded
	}
	schLeg struct {
		Qty  int
		Deep []struct{ A, B int8 }
	}
	schPage[T any] struct{ Items []T }
	schList        []schList
	schEmbedded    struct{ Note string }
	schStatus      struct {
		_msgpack struct{} `msgpack:",as_array"`
		N        int
	}
	// The names of these are words of the form.
	string_ struct{ N int }
	opaque  struct{ Any string_ }
)

// The unexported embedded struct is not sent by gob, the field Err is whatever it
// is to each codec.
var schemaTexts = map[string]string{
	"msgpack": `msgpack
message schOrder
struct schOrder
 ID uint64
 price float64 alias px
 At time
 For int64
 Side uint8
 Data bytes
 Hash [4]uint8
 Legs []schLeg
 ByName map[string]*schLeg
 ByID map[int64][]string
 Page schPage_schLeg
 Next *schOrder
 Far *schOrder
 Any any
 Err *string
 Big *opaque(Int)
 Addr opaque(Addr)
 Raw bytes
 RawM any
 List []opaque(schList)
 Note string
struct schLeg
 Qty int
 Deep []schLeg_Deep
struct schPage_schLeg
 Items []schLeg
struct schLeg_Deep
 A int8
 B int8
`,
	"gob": `gob
message schOrder
struct schOrder
 ID uint64
 Price float64
 At time
 For int64
 Side uint8
 Data bytes
 Hash [4]uint8
 Legs []schLeg
 ByName map[string]schLeg
 ByID map[int64][]string
 Page schPage_schLeg
 Next schOrder
 Far schOrder
 Any any
 Err any
 Big opaque(Int)
 Addr opaque(Addr)
 Raw bytes
 RawM bytes
 List []opaque(schList)
 Kept string
struct schLeg
 Qty int
 Deep []schLeg_Deep
struct schPage_schLeg
 Items []schLeg
struct schLeg_Deep
 A int8
 B int8
`,
	"json": `json
message schOrder
struct schOrder
 ID uint64
 "the price" quoted(float64)
 At time
 For int64
 Side uint8
 Data bytes
 Hash [4]uint8
 Legs []schLeg
 ByName map[string]*schLeg
 ByID map[int64][]string
 Page schPage_schLeg
 Next *schOrder
 Far *schOrder
 Any any
 Err opaque(error)
 Big *opaque(Int)
 Addr opaque(Addr)
 Raw any
 RawM bytes
 List []opaque(schList)
 Note string
struct schLeg
 Qty int
 Deep []schLeg_Deep
struct schPage_schLeg
 Items []schLeg
struct schLeg_Deep
 A int8
 B int8
`,
}

func TestSchema(t *testing.T) {
	for codec, want := range schemaTexts {
		got := qsocket.Protocol[schOrder]{Codec: evolutionCodec[schOrder](codec)}.Schema()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, -want +got:\n%s", codec, diff)
		}
		if _, err := schema.Parse(got); err != nil {
			t.Errorf("%s: %v", codec, err)
		}
	}
}

func TestSchemaOfOptions(t *testing.T) {
	tests := []struct{ name, got, want string }{
		{"default", qsocket.Protocol[int]{}.Schema(), "msgpack\nmessage int\n"},
		{"all flags", qsocket.Protocol[schXY]{
			Codec: qsocket.Msgpack[schXY](qsocket.ArrayEncodedStructs(), qsocket.DisallowUnknownFields(), qsocket.AllowInvalidUTF8()),
		}.Schema(), "msgpack invalid-utf8 strict\nmessage schXY\ntuple schXY\n X int\n Y int\n"},
		{"as_array", qsocket.Protocol[*schStatus]{}.Schema(), "msgpack\nmessage *schStatus\ntuple schStatus\n N int\n"},
		{"anonymous", qsocket.Protocol[[]struct{ In struct{ N int } }]{}.Schema(),
			"msgpack\nmessage []Message\nstruct Message\n In Message_In\nstruct Message_In\n N int\n"},
		{"reserved name", qsocket.Protocol[opaque]{}.Schema(), "msgpack\nmessage opaque2\nstruct opaque2\n Any string_\nstruct string_\n N int\n"},
		{"binary", qsocket.Protocol[*big.Float]{Codec: qsocket.Stateless[*big.Float]("floats", nil, nil)}.Schema(), ""},
		{"binary", qsocket.Protocol[url.URL]{Codec: qsocket.Binary[url.URL]()}.Schema(), "binary\nmessage opaque(URL)\n"},
		{"binary pointer", qsocket.Protocol[*url.URL]{Codec: qsocket.Binary[*url.URL]()}.Schema(), "binary\nmessage opaque(URL)\n"},
		{"an interface in gob", qsocket.Protocol[any]{Codec: qsocket.Gob[any]()}.Schema(), "gob\nmessage any\n"},
		{"endless", qsocket.Protocol[schEndless]{Codec: qsocket.JSON[schEndless]()}.Schema(), "json\nmessage opaque(schEndless)\n"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

// Fields that are not sent; that they are there is what matters.
var _, _ = schOrder{private: 1}, schStatus{_msgpack: struct{}{}}

type schEndless *schEndless

// A text that is longer than it may be is not told.
func TestSchemaTooLong(t *testing.T) {
	if got := (qsocket.Protocol[schLong]{}).Schema(); got != "" {
		t.Errorf("got %d bytes, want none", len(got))
	}
}

type schLong struct {
	N int `msgpack:"a name that is longer than any that a peer would take xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"`
}

// The types of TestSchemaFields, with all that encoding/json and v5 know of
// embedding.
type (
	schInner  struct{ A, B, C int }
	SchInner  struct{ A, B, D int }
	schTagged struct {
		X int `json:"A" msgpack:"A"`
	}
	schDeep struct {
		schInner
		Z int
	}
	SchPtr struct{ P int }
	SchInt int

	schShadow struct {
		schInner
		A string
	}
	schTwice struct {
		schInner
		SchInner
	}
	schTagWins struct {
		schTagged
		SchPtr
	}
	schTagAndInner struct {
		SchInner
		schTagged
	}
	schTwoLevels struct {
		schDeep
		SchPtr
		B string
	}
	schNamed struct {
		SchInner `json:"inner" msgpack:"inner"`
		SchPtr   `msgpack:",noinline"`
	}
	schEmbedInt struct {
		SchInt
		*SchPtr
	}
	schOddTags struct {
		A int `json:"a,string" msgpack:"a"`
		B int `json:"b c" msgpack:"b c"`
		C int `json:"ünder" msgpack:"ünder"`
		D int `json:"a/b" msgpack:"'d,e'"`
		E int `json:"-" msgpack:"-"`
		F int `json:",omitzero" msgpack:",omitempty"`
	}
	schDiamondA struct{ schInner }
	schDiamondB struct{ schInner }
	schDiamond  struct {
		schDiamondA
		schDiamondB
		Own int
	}
)

// TestSchemaFields compares the fields of structs with those that are sent.
func TestSchemaFields(t *testing.T) {
	schemaFields(t, schInner{1, 2, 3})
	schemaFields(t, schShadow{schInner{1, 2, 3}, "a"})
	schemaFields(t, schTwice{schInner{1, 2, 3}, SchInner{4, 5, 6}})
	schemaFields(t, schTagWins{schTagged{1}, SchPtr{2}})
	schemaFields(t, schTagAndInner{SchInner{1, 2, 3}, schTagged{4}})
	schemaFields(t, schTwoLevels{schDeep{schInner{1, 2, 3}, 4}, SchPtr{5}, "b"})
	schemaFields(t, schNamed{SchInner{1, 2, 3}, SchPtr{4}})
	schemaFields(t, schEmbedInt{1, &SchPtr{2}})
	schemaFields(t, schOddTags{1, 2, 3, 4, 5, 6})
	schemaFields(t, schDiamond{schDiamondA{schInner{1, 2, 3}}, schDiamondB{schInner{4, 5, 6}}, 7})
}

func schemaFields[T any](t *testing.T, v T) {
	t.Helper()
	for _, codec := range []string{"msgpack", "json"} {
		c := evolutionCodec[T](codec)
		payload, err := c.NewEncoder().Append(nil, v)
		if err != nil { // v5 does not write a name twice
			if text := (qsocket.Protocol[T]{Codec: c}).Schema(); codec != "msgpack" || text != "" {
				t.Errorf("%s of %T: %v, but the schema is %q", codec, v, err, text)
			}
			continue
		}
		sent, err := evolutionCodec[map[string]any](codec).NewDecoder().Decode(payload)
		if err != nil {
			t.Errorf("%s of %T: %v", codec, v, err)
			continue
		}
		s, err := schema.Parse(qsocket.Protocol[T]{Codec: c}.Schema())
		if err != nil {
			t.Errorf("%s of %T: %v", codec, v, err)
			continue
		}
		var want, got []string
		for name := range sent {
			want = append(want, name)
		}
		for _, f := range s.Defs[0].Fields {
			got = append(got, f.Name)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s of %T: got fields %q, but %q are sent", codec, v, got, want)
		}
	}
}

// A Conn asks each time it opens.
func TestSchemaIsKept(t *testing.T) {
	for _, codec := range []string{"msgpack", "gob", "json"} {
		p := qsocket.Protocol[schOrder]{Codec: evolutionCodec[schOrder](codec)}
		p.Schema()
		if n := testing.AllocsPerRun(100, func() { p.Schema() }); n > 3 {
			t.Errorf("%s: %v allocations", codec, n)
		}
	}
}
