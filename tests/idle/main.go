// Command idle is one end of many connections on which nothing happens: a
// program with nothing in it but those, so that its memory is theirs.
//
//	idle server tcp 15s recv 10000
//	idle client tcp 15s messages 10000 127.0.0.1:4321
//
// It prints lines of a key, a tab and a value: a server its address as
// "listening"; both "connected" when all connections are there; and for each line
// of its standard input "memory", what it has resident, in bytes, and "detail".
// It ends with its standard input.
package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"math/big"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

var protocol = qsocket.Protocol[string]{Name: "idle/1", Codec: qsocket.Msgpack[string]()}

// end is what the words of the command line say.
type end struct {
	receive string
	n       int
	opts    qsocket.Options
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 6 || os.Args[1] == "client" && len(os.Args) < 7 {
		log.Fatal("idle: want server or client, tcp or tls, heartbeat, recv or messages, number, and of a client the address")
	}
	words := os.Args[1:]
	beat, err := time.ParseDuration(words[2])
	if err != nil {
		log.Fatal(err)
	}
	n, err := strconv.Atoi(words[4])
	if err != nil {
		log.Fatal(err)
	}
	e := end{receive: words[3], n: n, opts: qsocket.Options{Heartbeat: beat}}
	if beat == 0 {
		e.opts.Heartbeat = -1 // none; 0 is the default
	}
	server := words[0] == "server"
	if words[1] == "tls" {
		e.opts.TLS = tlsConfig(server)
	}
	if server {
		err = e.serve()
	} else {
		err = e.dial(words[5])
	}
	if err != nil {
		log.Fatal(err)
	}
}

func (e *end) serve() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", protocol, &e.opts)
	if err != nil {
		return err
	}
	fmt.Printf("listening\t%s\n", ln.Addr())
	go func() {
		for ln.Stats().Open < e.n {
			time.Sleep(10 * time.Millisecond)
		}
		e.answer()
		cancel()
	}()
	return ln.Serve(ctx, e.handle)
}

func (e *end) handle(ctx context.Context, c *qsocket.Conn[string]) {
	if e.receive == "messages" {
		for range c.Messages() {
		}
		return
	}
	for range c.All(ctx) {
	}
}

func (e *end) dial(address string) error {
	conns := make([]*qsocket.Conn[string], 0, e.n)
	defer func() {
		for _, c := range conns {
			_ = c.CloseWithReason("over") // there is nothing to lose
		}
	}()
	for range e.n {
		c, err := qsocket.Dial(context.Background(), "tcp", address, protocol, &e.opts)
		if err != nil {
			return err
		}
		conns = append(conns, c)
		if e.receive == "messages" {
			c.Messages()
		}
	}
	e.answer()
	return nil
}

// answer reports on this process whenever it is asked to, until its input ends.
func (e *end) answer() {
	fmt.Printf("connected\t%d\n", e.n)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		runtime.GC()
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Printf("detail\theap %d MiB, stacks %d MiB, %d goroutines\n", m.HeapInuse>>20, m.StackInuse>>20, runtime.NumGoroutine())
		fmt.Printf("memory\t%d\n", resident())
	}
}

// resident returns the memory of this process that is not on disk, bytes.
func resident() int {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, _ := strconv.Atoi(fields[0])
	return kb << 10
}

// tlsConfig has a certificate that is not checked: here only memory matters.
func tlsConfig(server bool) *tls.Config {
	if !server {
		return &tls.Config{InsecureSkipVerify: true}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		log.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}
