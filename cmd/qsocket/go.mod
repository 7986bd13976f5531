module github.com/fb9bb4ed/qsocket/cmd/qsocket

go 1.25

require (
	github.com/alecthomas/kong v1.17.0
	github.com/fb9bb4ed/qsocket v0.1.0
)

require (
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
)
