module github.com/fb9bb4ed/qsocket/tests/transports

go 1.25.0

require (
	github.com/coder/websocket v1.8.15
	github.com/fb9bb4ed/qsocket v0.0.0
	github.com/gorilla/websocket v1.5.3
	github.com/hashicorp/yamux v0.1.2
	github.com/quic-go/quic-go v0.61.0
	github.com/soheilhy/cmux v0.1.5
	github.com/xtaci/smux v1.5.34
	golang.org/x/crypto v0.55.0
)

require (
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	golang.org/x/net v0.57.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/text v0.41.0 // indirect
)

replace github.com/fb9bb4ed/qsocket => ../../
