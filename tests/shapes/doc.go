// Package shapes has values of many types, to compare the MessagePack of qsocket with that of
// vmihailenco/msgpack v5, and with generated code: no shape of a message should be slower than with
// the library that a program would use otherwise, and each has to be the same bytes.
//
// Its tests compare bytes and values. Its benchmark measures one shape after another:
//
//	go test -run=- -bench=Shapes/'map of strings' ./tests/shapes
//
// The module bench measures all of them in interleaved rounds, and prints a table:
//
//	cd bench && go run . -shapes
package shapes
