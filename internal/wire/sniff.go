package wire

import (
	"bytes"
	"fmt"
)

// speakers are protocols that come to the wrong port, by the first bytes that
// they send.
var speakers = []struct {
	first string
	who   string
}{
	{Magic, "peer runs a named protocol"},
	{"\x16\x03", "peer sent a TLS record"}, // a handshake
	{"\x15\x03", "peer sent a TLS record"}, // an alert
	{"HTTP/", "peer speaks HTTP"},
	{"GET ", "peer speaks HTTP"},
	{"HEAD ", "peer speaks HTTP"},
	{"POST ", "peer speaks HTTP"},
	{"PUT ", "peer speaks HTTP"},
	{"DELETE ", "peer speaks HTTP"},
	{"OPTIONS ", "peer speaks HTTP"},
	{"CONNECT ", "peer speaks HTTP"},
	{"PATCH ", "peer speaks HTTP"},
	{"TRACE ", "peer speaks HTTP"},
	{"PRI * ", "peer speaks HTTP"}, // HTTP/2 without TLS
	{"SSH-", "peer speaks SSH"},
	{"PROXY ", "peer is a proxy that announces itself"}, // https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt
	{"\r\n\r\n\x00\r\nQ", "peer is a proxy that announces itself"},
}

// Sniff says what kind of peer begins a connection with the bytes b. It returns "" if it
// does not know. Three bytes are enough to tell.
func Sniff(b []byte) string {
	for _, s := range speakers {
		n := min(len(b), len(s.first))
		if n >= min(3, len(s.first)) && string(b[:n]) == s.first[:n] {
			return fmt.Sprintf("%s: it sent %s", s.who, quoteBytes(b))
		}
	}
	return ""
}

// quoteBytes shows the first bytes of what a peer has sent.
func quoteBytes(b []byte) string {
	b = b[:min(len(b), 16)]
	if bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && r != '\r' && r != '\n' || r > '~' }) {
		return fmt.Sprintf("% x", b)
	}
	return fmt.Sprintf("%q", b)
}
