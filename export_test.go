package qsocket

var (
	GetBuffer = getBuffer
	PutBuffer = putBuffer
)
