module github.com/fb9bb4ed/qsocket/tests/model

go 1.25.0

require (
	github.com/fb9bb4ed/qsocket v0.0.0
	pgregory.net/rapid v1.3.0
)

require (
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
)

replace github.com/fb9bb4ed/qsocket => ../../
