package qsocket_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

type (
	FoldOne   struct{ A int }
	foldTwo   struct{ A, B int }
	foldCased struct {
		A int
		B int `json:"a"`
	}
	foldKelvin struct {
		K    int `json:"key"`
		S    int `json:"straße_s"`
		Long int `json:"A_long-Name.with punctuation"`
	}
	foldDeep struct {
		*FoldOne
		M map[string][]FoldOne
		P **foldDeep
		X any
		R json.RawMessage
		T foldMethod `json:"t"`
	}
	foldMethod struct{ N map[string]int }
	foldWide   struct {
		F00, F01, F02, F03, F04, F05, F06, F07, F08, F09, F10, F11, F12, F13, F14, F15, F16, F17, F18, F19, ABC int
	}
)

func (m foldMethod) MarshalJSON() ([]byte, error)  { return json.Marshal(m.N) }
func (m *foldMethod) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &m.N) }

// Of two keys that encoding/json takes for one field, one would be lost.
func TestJSONKeysOfOneField(t *testing.T) {
	foldRefuses[FoldOne](t, `{"A":1,"a":2}`, true)
	foldRefuses[FoldOne](t, `{"a":1,"A":2}`, true)
	foldRefuses[FoldOne](t, `{"a":1,"\u0041":2}`, true)
	foldRefuses[*FoldOne](t, `{"A":1,"a":2}`, true)
	foldRefuses[FoldOne](t, `{"A":1,"b":2,"B":3}`, false)
	foldRefuses[foldTwo](t, `{"A":1,"b":2}`, false)
	foldRefuses[foldTwo](t, `{"A":1,"b":2,"B":2}`, true)
	foldRefuses[foldCased](t, `{"A":1,"a":2}`, false)
	foldRefuses[map[string]int](t, `{"A":1,"a":2}`, false)
	foldRefuses[any](t, `{"A":1,"a":2}`, false)
	foldRefuses[map[string]FoldOne](t, `{"A":{"A":1},"a":{"a":1}}`, false)
	foldRefuses[map[string]FoldOne](t, `{"A":{"A":1},"a":{"a":1,"A":1}}`, true)
	foldRefuses[foldKelvin](t, `{"key":1,"`+"\u212a"+`ey":2}`, true)
	foldRefuses[foldKelvin](t, `{"KEY":1,"Key":2}`, true)
	foldRefuses[foldKelvin](t, `{"straße_s":1,"ſTRAẞE_S":2}`, true)
	foldRefuses[foldKelvin](t, `{"straße_s":1,"STRASSE_S":2}`, false)
	foldRefuses[foldKelvin](t, `{"straße_s":1,"straßes":2}`, false)
	foldRefuses[foldKelvin](t, `{"A_long-Name.with punctuation":1,"a_long-name.with punctuation":2}`, true)
	foldRefuses[foldKelvin](t, `{"A_long-Name.with punctuation":1,"a-long_name.with punctuation":2}`, false)
	foldRefuses[foldDeep](t, `{"A":1,"M":{"x":[{"A":1},{"A":1}]}}`, false)
	foldRefuses[foldDeep](t, `{"A":1,"a":1}`, true)
	foldRefuses[foldDeep](t, `{"m":{"x":[{"A":1},{"A":1,"a":1}]}}`, true)
	foldRefuses[foldDeep](t, `{"P":{"P":{"P":{"a":1,"A":1}}}}`, true)
	foldRefuses[foldDeep](t, `{"X":{"A":1,"a":1},"R":{"A":1,"a":1},"T":{"A":1,"a":1},"Y":{"A":1,"a":1}}`, false)
	wide := `{"F00":0,"F01":0,"F02":0,"F03":0,"F04":0,"F05":0,"F06":0,"F07":0,"F08":0,"F09":0,"F10":0,"F11":0,"F12":0,"F13":0,"F14":0,"F15":0,"F16":0,"F17":0,"F18":0,`
	foldRefuses[foldWide](t, wide+`"abc":1}`, false)
	foldRefuses[foldWide](t, wide+`"abc":1,"abC":2}`, true)
	foldRefuses[foldWide](t, wide+`"f18":2}`, true)
	foldRefuses[foldWide](t, wide+`"f99":2,"F99":1}`, false)
}

func foldRefuses[T any](t *testing.T, payload string, want bool) {
	t.Helper()
	_, err := qsocket.JSON[T]().NewDecoder().Decode([]byte(payload))
	got := err != nil && strings.Contains(err.Error(), "are both for the field")
	if got != want || err != nil && !got {
		t.Errorf("%s into %v: got %v, want an error: %v", payload, reflect.TypeFor[T](), err, want)
	}
}

// What is one field and what is not is as encoding/json has it: the second of two keys
// changes what the first has set.
func TestJSONFoldsAsTheStandard(t *testing.T) {
	names := []string{"key", "KEY", "kEy", "\u212aey", "\u212aEY", "k_ey", "ke-y", "keyy", "straße_s", "STRAßE_S", "straẞe_ſ", "strasse_s", "straßes",
		"A_long-Name.with punctuation", "a_LONG-name.WITH punctuation", "a-long_name.with punctuation", "Along", "@key", "`key", "[", "{", "кey", "ΚEY"}
	for _, a := range names {
		for _, b := range names {
			if a == b {
				continue
			}
			var v foldKelvin
			payload := fmt.Appendf(nil, "{%q:1,%q:2}", a, b)
			if err := json.Unmarshal(payload, &v); err != nil {
				t.Fatal(err)
			}
			set := 0
			for _, n := range []int{v.K, v.S, v.Long} {
				if n == 2 {
					set++
				}
			}
			sum := v.K + v.S + v.Long
			lost := false // the first is known, but has been replaced by the second
			var only foldKelvin
			if err := json.Unmarshal(fmt.Appendf(nil, "{%q:1}", a), &only); err != nil {
				t.Fatal(err)
			}
			if only != (foldKelvin{}) && set == 1 && sum == 2 {
				lost = true
			}
			foldRefuses[foldKelvin](t, string(payload), lost)
		}
	}
}
