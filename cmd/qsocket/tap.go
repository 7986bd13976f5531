package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/address"
	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/conversation"
	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/proxy"
	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/recording"
)

// tapCommand stands between clients and a server, and shows what they say.
type tapCommand struct {
	Listen string `required:"" placeholder:"ADDR" help:"Where to listen for clients: tcp://host:port, unix://path or tls://host:port with --cert and --key."`
	To     string `required:"" placeholder:"ADDR" help:"The server: tcp://host:port, unix://path or tls://host:port."`
	Record string `placeholder:"FILE" help:"Write every byte of both directions to a file, with its time. Only one's own user may read it."`
	Ask    bool   `negatable:"" default:"true" help:"Ask the server for the description of its messages, with a connection for that alone. Without it cases of unions have numbers, unless the two ends tell each other their types."`
	Once   bool   `help:"End with the first connection."`
	Show   int    `default:"2048" placeholder:"BYTES" help:"How much of a message to print, in bytes; 0: all of it. With --json it is always all."`
	Color  string `enum:"auto,always,never" default:"auto" help:"Colors: auto (on a terminal), always or never."`

	Codec   string `group:"protocol" placeholder:"CODEC" help:"Raw mode, with this codec. Without it: named mode, what the hellos say."`
	Framing string `group:"protocol" placeholder:"FRAMING" help:"Raw mode, with this framing: Uint32 (the default), Uint16, Uint8, Uint32LE, Uvarint or Netstring."`

	Cert       string            `group:"tls" placeholder:"FILE" help:"Certificate to show to clients, PEM, if --listen begins with tls://."`
	Key        string            `group:"tls" placeholder:"FILE" help:"Key of that certificate, PEM."`
	CA         string            `group:"tls" name:"ca" placeholder:"FILE" help:"Certificates that the server's may be signed by, PEM. Without it: those of the system."`
	ServerName string            `group:"tls" name:"servername" placeholder:"NAME" help:"Name that the server's certificate must have. Without it: the host of --to."`
	ToCert     string            `group:"tls" placeholder:"FILE" help:"Certificate to show to the server, PEM: those of clients cannot be passed on."`
	ToKey      string            `group:"tls" placeholder:"FILE" help:"Key of that certificate, PEM."`
	Attr       map[string]string `group:"protocol" placeholder:"KEY=VALUE" help:"Attribute to tell the server with --ask, such as a token; may be repeated."`

	JSON    bool          `name:"json" help:"Print JSON, one object a line."`
	Timeout time.Duration `default:"5s" help:"How long to wait for the server, at each step."`
}

// Help is what --help adds.
func (c *tapCommand) Help() string {
	return `
Clients connect to --listen instead of the server. Nothing is changed on the way, whatever it is; what
is no hello of qsocket, nor raw mode as --codec and --framing have it, is passed on and counted:

  qsocket tap --listen localhost:7071 --to localhost:7070
  qsocket tap --listen localhost:7071 --to tls://orders.test:7070 --ca ca.pem --record today.rec
  qsocket tap --json --listen localhost:7071 --to localhost:7070 | jq 'select(.case == "Fill").message'
`
}

// server returns the options of a client of --to.
func (c *tapCommand) server() *peerOptions {
	return &peerOptions{
		Codec: c.Codec, Framing: c.Framing, Attr: c.Attr, Timeout: c.Timeout,
		TLS: address.TLS{CA: c.CA, ServerName: c.ServerName, Cert: c.ToCert, Key: c.ToKey},
	}
}

func (c *tapCommand) Run(p *program) error {
	server := c.server()
	framing, err := server.framing()
	if err != nil {
		return err
	}
	to, err := address.Parse(c.To)
	if err != nil {
		return usage(err)
	}
	if _, err := server.Config(to); err != nil {
		return usage(err)
	}
	nl, secure, err := c.listen()
	if err != nil {
		return usage(err)
	}
	defer nl.Close()
	t := &tap{
		tapCommand: c,
		opts:       conversation.Options{Raw: server.raw(), Codec: c.Codec, Framing: framing, Keep: tapKeep},
		print:      newTapPrinter(p.out, c),
		begun:      time.Now(),
	}
	t.asked = &asked{texts: make(map[string]string)}
	if c.Ask && !t.opts.Raw {
		t.asked.ask = func() (string, string) { return c.ask(p.ctx, server) }
	}
	t.opts.Types, t.opts.Told = t.asked.types, t.asked.told
	if c.Record != "" {
		if t.record, err = newRecorder(c.Record, recording.About{To: to.String(), Codec: c.Codec, Framing: map[bool]string{true: framing.String()}[t.opts.Raw]}, func(err error) { p.complain(err) }); err != nil {
			return usage(err)
		}
	}
	fmt.Fprintf(p.err, "qsocket: listening at %s, for %s\n", listeningAt(nl, secure), to)
	carrier := &proxy.Proxy{
		Listener: nl, TLS: secure,
		Dial:  func(ctx context.Context) (net.Conn, error) { return server.dial(ctx, c.To) },
		Watch: t.watch,
	}
	if c.Once {
		carrier.Most = 1
	}
	err = carrier.Serve(p.ctx)
	t.decoding.Wait()
	if t.record != nil {
		if recordErr := t.record.close(); err == nil {
			err = recordErr
		}
	}
	if printErr := t.print.flush(); err == nil {
		err = printErr
	}
	return err
}

func (c *tapCommand) listen() (net.Listener, *tls.Config, error) {
	at, err := address.Parse(c.Listen)
	if err != nil {
		return nil, nil, err
	}
	certificates, err := (&address.TLS{Cert: c.Cert, Key: c.Key}).Certificates()
	switch {
	case err != nil:
		return nil, nil, err
	case at.TLS != (certificates != nil):
		return nil, nil, errors.New("want both --listen tls://host:port and --cert with --key, or neither")
	}
	nl, err := at.Listen()
	if err != nil || !at.TLS {
		return nl, nil, err
	}
	return nl, &tls.Config{Certificates: certificates}, nil
}

func listeningAt(nl net.Listener, secure *tls.Config) address.Address {
	return address.Address{Network: nl.Addr().Network(), Address: nl.Addr().String(), TLS: secure != nil}
}

// ask returns the description that the server tells, with its fingerprint. What is in the queue when
// the program is interrupted is still decoded, so it may ask then, too.
func (c *tapCommand) ask(ctx context.Context, server *peerOptions) (fingerprint, text string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Timeout)
	defer cancel()
	peer, err := server.observe(ctx, c.To)
	if err != nil {
		return "", ""
	}
	_ = peer.Leave(ctx)
	return peer.Hello.Types, peer.Text
}

// asked keeps descriptions by their fingerprints: those that ends have told each other, and what the
// server answers. It is asked when a fingerprint comes that is not known, once for each.
type asked struct {
	ask func() (fingerprint, text string) // nil: the server is not to be asked

	mu    sync.Mutex
	texts map[string]string // "": the server was asked, and has another one
	times int
}

// Clients can bring any number of descriptions. These bounds are of how often the server is asked, and
// how many descriptions are kept, of 64 KiB at most each.
const (
	maxAsked = 16
	maxKept  = 64
)

func (a *asked) types(fingerprint string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if text, known := a.texts[fingerprint]; known || a.times == maxAsked || a.ask == nil {
		return text
	}
	a.times++
	a.texts[fingerprint] = ""
	if found, text := a.ask(); found != "" {
		a.texts[found] = text
	}
	return a.texts[fingerprint]
}

// told keeps a description, whose fingerprint is its own.
func (a *asked) told(fingerprint, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.texts) < maxKept {
		a.texts[fingerprint] = text
	}
}

const (
	tapKeep    = 1 << 20  // longest frame that is decoded, bytes
	tapQueue   = 4 << 20  // bytes of a connection that wait to be decoded
	tapQueues  = 64 << 20 // ... of all connections
	tapResumes = tapQueue / 2
)

// tap is a run of the command.
type tap struct {
	*tapCommand
	opts   conversation.Options
	asked  *asked
	print  *tapPrinter
	record *recorder // nil: none
	begun  time.Time

	waiting  atomic.Int64 // bytes in the queues of all connections
	decoding sync.WaitGroup
}

// watch begins to watch a connection.
func (t *tap) watch(conn uint32, client net.Addr, failed error) proxy.Watcher {
	now := time.Now()
	if failed != nil {
		t.print.event(&conversation.Event{Conn: conn, Time: now, Type: "failed", Error: shown(failed.Error())})
		return nil
	}
	w := &watcher{tap: t, conn: conn, more: make(chan struct{}, 1)}
	for i := range w.skims {
		w.skims[i].split = w.newSkimmer()
	}
	w.talk = conversation.New(conn, &t.opts, t.print.event)
	w.talk.Say(&conversation.Event{Time: now, Type: "open", Text: shown(addressOf(client))})
	if t.record != nil {
		t.record.add(&recording.Entry{Kind: recording.Open, Conn: conn, Time: now, Data: []byte(shown(addressOf(client)))})
	}
	t.decoding.Go(w.decode) // ends when Closed has been called
	return w
}

func addressOf(a net.Addr) string {
	if a == nil || a.String() == "" || a.String() == "@" {
		return "a client"
	}
	return a.String()
}

// newRecorder begins a recording in a new file.
func newRecorder(path string, about recording.About, complain func(error)) (*recorder, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	r := &recorder{file: f, out: bufio.NewWriterSize(f, 256<<10), complain: complain, done: make(chan struct{})}
	r.room.L, r.some.L = &r.mu, &r.mu
	if r.w, err = recording.NewWriter(r.out, about, time.Now()); err == nil {
		err = r.out.Flush()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	go r.run() // ends with close
	return r, nil
}
