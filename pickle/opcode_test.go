package pickle_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/pickle"
)

// opcodes has each opcode of protocols 0 to 5, as CPython's pickletools lists them: what an
// any becomes of it, or "refused".
var opcodes = []struct{ name, payload, want string }{
	{"NONE", "\x80\x04N.", "n"},
	{"NEWTRUE", "\x80\x02\x88.", "t"},
	{"NEWFALSE", "\x80\x02\x89.", "f"},
	{"BININT", "J\x00\x00\x00\x80.", "i-80000000"},
	{"BININT1", "K\xff.", "iff"},
	{"BININT2", "M\xff\xff.", "iffff"},
	{"LONG1", "\x8a\x00.", "i0"},
	{"LONG1", "\x8a\x01\xff.", "i-1"},
	{"LONG1", "\x8a\x02\xff\x00.", "iff"},
	{"LONG1", "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.", "i-8000000000000000"},
	{"LONG1", "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00.", "i8000000000000000"},
	{"LONG1", "\x8a\x0a\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00.", "i1"},
	{"LONG4", "\x8b\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff.", "i-10000000000000000"},
	{"BINFLOAT", "G\x3f\xf8\x00\x00\x00\x00\x00\x00.", "d3ff8000000000000"},
	{"BINUNICODE", "X\x02\x00\x00\x00\xc3\xa9.", "sc3a9"},
	{"SHORT_BINUNICODE", "\x8c\x01a.", "s61"},
	{"BINUNICODE8", "\x8d\x01\x00\x00\x00\x00\x00\x00\x00a.", "s61"},
	{"BINBYTES", "B\x01\x00\x00\x00\xff.", "bff"},
	{"SHORT_BINBYTES", "C\x00.", "b"},
	{"BINBYTES8", "\x8e\x01\x00\x00\x00\x00\x00\x00\x00\xff.", "bff"},
	{"BYTEARRAY8", "\x96\x01\x00\x00\x00\x00\x00\x00\x00\xff.", "bff"},
	{"EMPTY_LIST", "].", "[]"},
	{"APPEND", "]K\x01aK\x02a.", "[i1,i2]"},
	{"APPENDS", "](K\x01K\x02e(e(K\x03e.", "[i1,i2,i3]"},
	{"EMPTY_TUPLE", ").", "[]"},
	{"TUPLE", "(K\x01K\x02K\x03K\x04t.", "[i1,i2,i3,i4]"},
	{"TUPLE1", "K\x01\x85.", "[i1]"},
	{"TUPLE2", "K\x01K\x02\x86.", "[i1,i2]"},
	{"TUPLE3", "K\x01K\x02K\x03\x87.", "[i1,i2,i3]"},
	{"EMPTY_DICT", "}.", "{}"},
	{"SETITEM", "}\x8c\x01aK\x01s.", "{s61:i1}"},
	{"SETITEMS", "}(K\x01\x8c\x01aNK\x02u.", "{i1:s61,n:i2}"},
	{"EMPTY_SET", "\x8f.", "<>"},
	{"ADDITEMS", "\x8f(K\x01K\x02\x90(\x90.", "<i1,i2>"},
	{"FROZENSET", "(K\x01\x91.", "<i1>"},
	{"MARK", "((K\x01tt.", "[[i1]]"},
	{"MEMOIZE", "](\x8c\x01a\x94h\x00e.", "[s61,s61]"},
	{"BINPUT", "](\x8c\x01aq\x05h\x05e.", "[s61,s61]"},
	{"LONG_BINPUT", "](]r\x05\x00\x00\x00h\x05e.", "[[],[]]"},
	{"BINGET", "](]q\x00h\x00h\x00e.", "[[],[],[]]"},
	{"LONG_BINGET", "](]q\x00j\x00\x00\x00\x00e.", "[[],[]]"},
	{"GLOBAL", "\x80\x02c__builtin__\nbytearray\n)R.", "b"},
	{"STACK_GLOBAL", "\x8c\x08builtins\x8c\x05bytes\x93)R.", "b"},
	{"REDUCE", "\x80\x02c__builtin__\nset\n]K\x01a\x85R.", "<i1>"},
	{"REDUCE", "cbuiltins\nfrozenset\n]\x85R.", "<>"},
	{"REDUCE", "c_codecs\nencode\nX\x03\x00\x00\x00a\xc3\xbf\x8c\x06latin1\x86R.", "b61ff"},
	{"REDUCE", "cbuiltins\nbytearray\n\x8c\x02\xc3\xbf\x8c\x07latin-1\x86R.", "bff"},
	{"REDUCE", "cdatetime\ndate\nC\x04\x07\xea\x02\x1c\x85R.", "D2026-02-28"},
	{"REDUCE", "cdatetime\ntime\nC\x06\x97\x3b\x3b\x0f\x42\x3f\x85R.", "C86399999999"},
	{"REDUCE", "cdatetime\ntimedelta\nJ\xff\xff\xff\xffK\x02K\x03\x87R.", "P-86397999997"},
	{"REDUCE", "cdatetime\ndatetime\nC\x0a\x07\xb2\x81\x01\x00\x00\x01\x00\x00\x02" +
		"cdatetime\ntimezone\ncdatetime\ntimedelta\nK\x00M\x10\x0eK\x00\x87R\x8c\x03CET\x86R\x86R.", "T-3598999998+3600"},
	{"REDUCE", "cdecimal\nDecimal\n\x8c\x041.50\x85R.", "M1.50"},
	{"PROTO", "\x80\x05N.", "n"},
	{"PROTO", "\x80\x00N.", "n"},
	{"FRAME", "\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00K\x01.", "i1"},
	{"FRAME", "\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00K\x01\x95\x02\x00\x00\x00\x00\x00\x00\x00\x85.", "[i1]"},
	{"STOP", "N.", "n"},

	{"POP", "NN0.", "refused"},
	{"POP_MARK", "N(N1.", "refused"},
	{"DUP", "N2.", "refused"},
	{"FLOAT", "F1.5\n.", "refused"},
	{"INT", "I01\n.", "refused"},
	{"LONG", "L1L\n.", "refused"},
	{"PERSID", "Pa\n.", "refused"},
	{"BINPERSID", "NQ.", "refused"},
	{"STRING", "S'a'\n.", "refused"},
	{"BINSTRING", "T\x01\x00\x00\x00a.", "refused"},
	{"SHORT_BINSTRING", "U\x01a.", "refused"},
	{"UNICODE", "Va\n.", "refused"},
	{"BUILD", "NNb.", "refused"},
	{"DICT", "(d.", "refused"},
	{"LIST", "(l.", "refused"},
	{"GET", "Np0\ng0\n.", "refused: opcode PUT"},
	{"PUT", "Np0\n.", "refused"},
	{"INST", "(ios\nsystem\n.", "refused"},
	{"OBJ", "(No.", "refused"},
	{"NEWOBJ", "N)\x81.", "refused"},
	{"NEWOBJ_EX", "N)}\x92.", "refused"},
	{"EXT1", "\x82\x01.", "refused"},
	{"EXT2", "\x83\x01\x00.", "refused"},
	{"EXT4", "\x84\x01\x00\x00\x00.", "refused"},
	{"NEXT_BUFFER", "\x97.", "refused"},
	{"READONLY_BUFFER", "C\x00\x98.", "refused"},
}

func TestOpcodes(t *testing.T) {
	dec := pickle.Codec[any]().NewDecoder()
	seen := make(map[string]bool)
	for _, tt := range opcodes {
		seen[tt.name] = true
		v, err := dec.Decode([]byte(tt.payload))
		if strings.HasPrefix(tt.want, "refused") {
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.want == "refused" && !strings.Contains(err.Error(), "opcode "+tt.name+" ") {
				t.Errorf("%s: %q: got error %v, want %s with the name", tt.name, tt.payload, err, tt.want)
			}
			continue
		}
		if err != nil || text(v) != tt.want {
			t.Errorf("%s: %q: got %s, error %v, want %s", tt.name, tt.payload, text(v), err, tt.want)
		}
	}
	for op, name := range pickle.OpcodeNames {
		if name != "" && !seen[name] {
			t.Errorf("opcode %s (%#02x) is in no case", name, op)
		}
	}
}

// Of a pickle that is cut anywhere nothing is decoded, and the error says so.
func TestTruncated(t *testing.T) {
	dec := pickle.Codec[any]().NewDecoder()
	for _, tt := range opcodes {
		if strings.HasPrefix(tt.want, "refused") {
			continue
		}
		for n := range len(tt.payload) {
			if v, err := dec.Decode([]byte(tt.payload[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%q of %q: got %v, error %v, want io.ErrUnexpectedEOF", tt.payload[:n], tt.payload, v, err)
			}
		}
	}
}

// What a decoder has read does not change what it makes of the next pickle.
func TestDecoderKeepsNothing(t *testing.T) {
	dec := pickle.Codec[any]().NewDecoder()
	if _, err := dec.Decode([]byte("](\x8c\x01a\x94h\x00(e")); err == nil {
		t.Fatal("no error")
	}
	if v, err := dec.Decode([]byte("h\x00.")); err == nil {
		t.Errorf("got %v of the memo of another pickle", v)
	}
	payload := []byte("](C\x01a\x8c\x01be.")
	v, err := dec.Decode(payload)
	clear(payload)
	if err != nil || text(v) != "[b61,s62]" {
		t.Errorf("got %s, error %v, want what does not refer to the payload", text(v), err)
	}
}
