package pickle

// OpcodeNames has the names of all opcodes, by opcode.
var OpcodeNames = names
