package session

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// The states of a session as the wire has them.
const (
	created = iota + 1
	resumed
	over
	lost
	stale
	busy
)

// hello is what a peer says of a session.
type hello struct {
	id    []byte
	try   int
	got   uint64
	isNew bool
	keep  int

	proto, codec string // if they are others than those of protocol
	admits       bool   // a verdict follows
}

func newID() []byte {
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	return id
}

// peer is an end of a connection that a test writes byte by byte, with nothing of the library.
type peer struct {
	t   *testing.T
	nc  net.Conn
	try int
}

func newPeer(t *testing.T, nc net.Conn) *peer {
	t.Cleanup(func() { _ = nc.Close() })
	return &peer{t: t, nc: nc}
}

// greet sends a hello and reads the server's.
func (p *peer) greet(h hello) map[string]any {
	p.t.Helper()
	p.sayHello(h)
	header := p.read(8)
	var theirs map[string]any
	if err := msgpack.Unmarshal(p.read(int(binary.BigEndian.Uint32(header[4:]))), &theirs); err != nil {
		p.t.Fatal(err)
	}
	return theirs
}

func (p *peer) sayHello(h hello) {
	p.try = h.try
	m := map[string]any{"proto": protocol.Name, "codec": "msgpack", "max": 1 << 20, "nl": "\r\n\r\n"}
	if h.proto != "" {
		m["proto"], m["codec"] = h.proto, h.codec
	}
	if h.admits {
		m["adm"] = true
	}
	if h.id != nil {
		m["sid"], m["try"], m["keep"] = h.id, h.try, 1<<20
		if h.keep > 0 {
			m["keep"] = h.keep
		}
		if h.got > 0 {
			m["got"] = h.got
		}
		if h.isNew {
			m["new"] = true
		}
	}
	body, err := msgpack.Marshal(m)
	if err != nil {
		p.t.Error(err)
	}
	p.write(append(binary.BigEndian.AppendUint32([]byte("QSK\x01"), uint32(len(body))), body...))
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.nc.Write(b); err != nil {
		p.t.Errorf("write: %v", err)
	}
}

func (p *peer) read(n int) []byte {
	p.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(p.nc, b); err != nil {
		p.t.Fatalf("read: %v", err)
	}
	return b
}

// frame reads a frame: a message, or a control frame of that kind.
func (p *peer) frame() (kind byte, body []byte) {
	p.t.Helper()
	size := binary.BigEndian.Uint32(p.read(4))
	body = p.read(int(size &^ (1 << 31)))
	if size>>31 == 0 {
		return 0, body
	}
	return body[0], body[1:]
}

func (p *peer) control(kind byte, body ...byte) {
	p.t.Helper()
	b := binary.BigEndian.AppendUint32(nil, 1<<31|uint32(1+len(body)))
	p.write(append(append(b, kind), body...))
}

func (p *peer) ack(n uint64) { p.control(5, binary.BigEndian.AppendUint64(nil, n)...) }

// readSession reads the answer about the session.
func (p *peer) readSession() (state int, got uint64) {
	p.t.Helper()
	kind, body := p.frame()
	if kind == 0x82 { // first a verdict, of a server that is full or has Options.Admit
		kind, body = p.frame()
	}
	if kind != 4 {
		p.t.Fatalf("frame of kind %#x, want the answer about the session", kind)
	}
	var answer struct {
		State int    `msgpack:"st"`
		Got   uint64 `msgpack:"got"`
	}
	if err := msgpack.Unmarshal(body, &answer); err != nil {
		p.t.Fatal(err)
	}
	return answer.State, answer.Got
}

func (p *peer) wantSession(state int, got uint64) {
	p.t.Helper()
	if st, n := p.readSession(); st != state || n != got {
		p.t.Errorf("the session is in the state %d after %d messages, want %d after %d", st, n, state, got)
	}
}

func (p *peer) send(v int) {
	p.t.Helper()
	body, err := msgpack.Marshal(v)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
}

// wantMessage reads up to the next message.
func (p *peer) wantMessage(want int) {
	p.t.Helper()
	for {
		kind, body := p.frame()
		if kind != 0 {
			continue
		}
		var got int
		if err := msgpack.NewDecoder(bytes.NewReader(body)).Decode(&got); err != nil || got != want {
			p.t.Errorf("got %d, %v, want %d", got, err, want)
		}
		return
	}
}

// close says goodbye and reads to the end.
func (p *peer) close() {
	p.t.Helper()
	p.control(1, 0x81, 0xa4, 'f', 'u', 'l', 'l', 0xc3)
	_, _ = io.Copy(io.Discard, p.nc)
	_ = p.nc.Close()
}

// goodbye reads up to the peer's goodbye and returns its code; 0 if there is none.
func (p *peer) goodbye() (code int) {
	p.t.Helper()
	for {
		var header [4]byte
		if _, err := io.ReadFull(p.nc, header[:]); err != nil {
			return 0
		}
		size := binary.BigEndian.Uint32(header[:])
		body := p.read(int(size &^ (1 << 31)))
		if size>>31 == 1 && body[0] == 1 {
			var g struct {
				Code int `msgpack:"code"`
			}
			if err := msgpack.Unmarshal(body[1:], &g); err != nil {
				p.t.Fatal(err)
			}
			_ = p.nc.Close()
			return g.Code
		}
	}
}

// clientCertificate returns a certificate with a key of its own.
func clientCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
