package pickle

// The opcodes that are written or looked for by name. Python's pickletools.py has what
// each of them does.
const (
	opMark            = '('
	opStop            = '.'
	opNone            = 'N'
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opBinInt          = 'J'
	opBinInt1         = 'K'
	opBinInt2         = 'M'
	opLong1           = 0x8a
	opLong4           = 0x8b
	opBinFloat        = 'G'
	opBinUnicode      = 'X'
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opBinBytes        = 'B'
	opShortBinBytes   = 'C'
	opBinBytes8       = 0x8e
	opByteArray8      = 0x96
	opEmptyList       = ']'
	opAppend          = 'a'
	opAppends         = 'e'
	opEmptyTuple      = ')'
	opTuple           = 't'
	opTuple1          = 0x85
	opTuple2          = 0x86
	opTuple3          = 0x87
	opEmptyDict       = '}'
	opSetItem         = 's'
	opSetItems        = 'u'
	opEmptySet        = 0x8f
	opAddItems        = 0x90
	opFrozenSet       = 0x91
	opMemoize         = 0x94
	opBinPut          = 'q'
	opLongBinPut      = 'r'
	opBinGet          = 'h'
	opLongBinGet      = 'j'
	opGlobal          = 'c'
	opStackGlobal     = 0x93
	opReduce          = 'R'
	opProto           = 0x80
	opFrame           = 0x95
)

// names has the names of all opcodes of protocols 0 to 5, those that are refused included.
var names = [256]string{
	opMark: "MARK", opStop: "STOP", opNone: "NONE", opNewTrue: "NEWTRUE", opNewFalse: "NEWFALSE",
	opBinInt: "BININT", opBinInt1: "BININT1", opBinInt2: "BININT2", opLong1: "LONG1", opLong4: "LONG4", opBinFloat: "BINFLOAT",
	opBinUnicode: "BINUNICODE", opShortBinUnicode: "SHORT_BINUNICODE", opBinUnicode8: "BINUNICODE8",
	opBinBytes: "BINBYTES", opShortBinBytes: "SHORT_BINBYTES", opBinBytes8: "BINBYTES8", opByteArray8: "BYTEARRAY8",
	opEmptyList: "EMPTY_LIST", opAppend: "APPEND", opAppends: "APPENDS",
	opEmptyTuple: "EMPTY_TUPLE", opTuple: "TUPLE", opTuple1: "TUPLE1", opTuple2: "TUPLE2", opTuple3: "TUPLE3",
	opEmptyDict: "EMPTY_DICT", opSetItem: "SETITEM", opSetItems: "SETITEMS",
	opEmptySet: "EMPTY_SET", opAddItems: "ADDITEMS", opFrozenSet: "FROZENSET",
	opMemoize: "MEMOIZE", opBinPut: "BINPUT", opLongBinPut: "LONG_BINPUT", opBinGet: "BINGET", opLongBinGet: "LONG_BINGET",
	opGlobal: "GLOBAL", opStackGlobal: "STACK_GLOBAL", opReduce: "REDUCE", opProto: "PROTO", opFrame: "FRAME",

	// Refused: of protocols 0 and 1, of Python 2, or for what is more than data.
	'0': "POP", '1': "POP_MARK", '2': "DUP", 'F': "FLOAT", 'I': "INT", 'L': "LONG", 'P': "PERSID", 'Q': "BINPERSID",
	'S': "STRING", 'T': "BINSTRING", 'U': "SHORT_BINSTRING", 'V': "UNICODE", 'b': "BUILD", 'd': "DICT", 'g': "GET",
	'i': "INST", 'l': "LIST", 'o': "OBJ", 'p': "PUT",
	0x81: "NEWOBJ", 0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4", 0x92: "NEWOBJ_EX", 0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
}

// steps has what the decoder does for each opcode; nil for those that it refuses. STOP
// ends the machine and is no step.
var steps = [256]func(*machine) bool{
	opMark:            (*machine).mark,
	opNone:            func(m *machine) bool { return m.push(kindNone, 0, 0) },
	opNewTrue:         func(m *machine) bool { return m.push(kindBool, 1, 0) },
	opNewFalse:        func(m *machine) bool { return m.push(kindBool, 0, 0) },
	opBinInt:          func(m *machine) bool { return m.int(4, true) },
	opBinInt1:         func(m *machine) bool { return m.int(1, false) },
	opBinInt2:         func(m *machine) bool { return m.int(2, false) },
	opLong1:           func(m *machine) bool { return m.long(1) },
	opLong4:           func(m *machine) bool { return m.long(4) },
	opBinFloat:        (*machine).float,
	opBinUnicode:      func(m *machine) bool { return m.text(4) },
	opShortBinUnicode: func(m *machine) bool { return m.text(1) },
	opBinUnicode8:     func(m *machine) bool { return m.text(8) },
	opBinBytes:        func(m *machine) bool { return m.bytes(4) },
	opShortBinBytes:   func(m *machine) bool { return m.bytes(1) },
	opBinBytes8:       func(m *machine) bool { return m.bytes(8) },
	opByteArray8:      func(m *machine) bool { return m.bytes(8) },
	opEmptyList:       func(m *machine) bool { return m.empty(kindList) },
	opAppend:          func(m *machine) bool { return m.add(kindList, 1, 1) },
	opAppends:         func(m *machine) bool { return m.addMarked(kindList, 1) },
	opEmptyTuple:      func(m *machine) bool { return m.empty(kindTuple) },
	opTuple:           func(m *machine) bool { return m.marked(kindTuple) },
	opTuple1:          func(m *machine) bool { return m.tuple(1) },
	opTuple2:          func(m *machine) bool { return m.tuple(2) },
	opTuple3:          func(m *machine) bool { return m.tuple(3) },
	opEmptyDict:       func(m *machine) bool { return m.empty(kindDict) },
	opSetItem:         func(m *machine) bool { return m.add(kindDict, 2, 2) },
	opSetItems:        func(m *machine) bool { return m.addMarked(kindDict, 2) },
	opEmptySet:        func(m *machine) bool { return m.empty(kindSet) },
	opAddItems:        func(m *machine) bool { return m.addMarked(kindSet, 1) },
	opFrozenSet:       func(m *machine) bool { return m.marked(kindSet) },
	opMemoize:         (*machine).memoize,
	opBinPut:          func(m *machine) bool { return m.put(1) },
	opLongBinPut:      func(m *machine) bool { return m.put(4) },
	opBinGet:          func(m *machine) bool { return m.get(1) },
	opLongBinGet:      func(m *machine) bool { return m.get(4) },
	opGlobal:          (*machine).global,
	opStackGlobal:     (*machine).stackGlobal,
	opReduce:          (*machine).reduce,
	opProto:           (*machine).proto,
	opFrame:           (*machine).frame,
}
