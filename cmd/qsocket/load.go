package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/fb9bb4ed/qsocket"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/recording"
)

// loadCommand sends messages for some time, and finds out how long their answers take.
type loadCommand struct {
	Address string        `arg:"" help:"Where the server listens: tcp://host:port, unix://path or tls://host:port."`
	File    string        `arg:"" optional:"" help:"Messages, sent in turn, over and over: lines of JSON as those of cat, or a recording of tap, of which those of the clients. Without it, or -: lines of the input."`
	Rate    float64       `xor:"model" placeholder:"N" help:"Open model: N messages a second over all connections, due at fixed times whether answers come or not."`
	Closed  int           `xor:"model" placeholder:"N" help:"Closed model: N messages of each connection without an answer at a time."`
	Conns   int           `default:"1" placeholder:"N" help:"Connections, 1 unless it is given."`
	For     time.Duration `default:"10s" help:"For how long to send."`
	Answers int           `default:"1" placeholder:"N" help:"How many messages answer one, 1 unless it is given; 0: the server does not answer, and nothing but sending is measured."`
	HDR     string        `name:"hdr" placeholder:"FILE" help:"Write the distribution of latencies to a file, in the text form of HdrHistogram."`
	HTML    string        `name:"html" placeholder:"FILE" help:"Write a report with charts, one file that needs nothing else."`
	peerOptions
}

// Help is what --help adds.
func (c *loadCommand) Help() string {
	return `
With --rate each message has a time at which it is due, and its latency counts from then to its
answer: if the server or this program is held up, the messages behind are late, and that is in the figures. With
--closed a message waits for the answers of others, so a slow server is asked less, and its latency, from when a message
was sent, says nothing about the waiting:

  qsocket load --rate 20000 --conns 10 --for 30s --html load.html localhost:7070 orders.jsonl
  echo '"hello"' | qsocket load --closed 1 localhost:7007

Answer n of a connection is taken for that of its message n.
`
}

func (c *loadCommand) check() error {
	switch {
	case c.Rate == 0 && c.Closed == 0:
		return usagef("want one of --rate, messages a second, and --closed, messages without an answer")
	case c.Rate < 0 || c.Rate > 100e6:
		return usagef("--rate %v: want more than 0, and at most 100 million", c.Rate)
	case c.Closed < 0 || c.Closed > 1<<20:
		return usagef("--closed %d: want 1 to %d", c.Closed, 1<<20)
	case c.Conns < 1 || c.Conns > 1<<20:
		return usagef("--conns %d: want 1 or more", c.Conns)
	case c.For <= 0:
		return usagef("--for %v: want more than 0", c.For)
	case c.Answers < 0:
		return usagef("--answers %d: want 0 or more", c.Answers)
	case c.Answers == 0 && c.Closed > 0:
		return usagef("--closed waits for answers: want --rate with --answers 0")
	}
	return nil
}

func (c *loadCommand) Run(p *program) error {
	if err := c.check(); err != nil {
		return err
	}
	server, err := c.learn(p.ctx, c.Address)
	if err != nil {
		return err
	}
	payloads, err := c.payloads(p, server)
	if err != nil {
		return err
	}
	l := &load{
		command:  c,
		protocol: server.protocol(),
		meter:    newMeter(),
		stop:     make(chan struct{}),
	}
	l.protocol.Codec = loadCodec{payloadCodec{server.Codec, server.Text}}
	for _, payload := range payloads {
		l.longest = max(l.longest, len(payload))
		message, err := l.protocol.Prepare(payload)
		if err != nil {
			return usagef("%s: %w", c.Address, err)
		}
		l.messages = append(l.messages, message)
	}
	if err := l.connect(p.ctx); err != nil {
		return err
	}
	end := l.showProgress(p)
	l.run(p.ctx)
	end()
	result := l.result(server)
	if c.JSON {
		err = printJSON(p.out, result)
	} else {
		result.print(p.out)
	}
	if err == nil && c.HDR != "" {
		err = usage(toFile(c.HDR, result.writeHDR))
	}
	if err == nil && c.HTML != "" {
		err = usage(toFile(c.HTML, result.writeHTML))
	}
	switch {
	case err != nil:
		return err
	case p.ctx.Err() == nil && len(l.failures) > 0:
		return fmt.Errorf("%d of %d connections have failed, the first one: %w", len(l.failures), c.Conns, advise(c.Address, &c.peerOptions, l.failures[0]))
	case p.ctx.Err() == nil && result.Unanswered > 0:
		return fmt.Errorf("%s: %d messages were not answered within %v", c.Address, result.Unanswered, c.Timeout)
	}
	return nil
}

// toFile writes a file.
func toFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// maxPayloads bounds the messages that are read, bytes as encoded.
const maxPayloads = 256 << 20

// payloads reads the messages, and encodes those that are not yet.
func (c *loadCommand) payloads(p *program, server *spoken) (list [][]byte, err error) {
	in, name := p.in, "the input"
	if c.File != "" && c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, usage(err)
		}
		defer f.Close()
		in, name = f, c.File
	}
	text := newLines(in)
	if first, _ := text.r.Peek(len(recording.Magic)); string(first) == recording.Magic {
		return c.recorded(server)
	}
	for size := 0; ; {
		line, err := text.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, usagef("%s, line %d: %w", name, text.number, err)
		}
		payload, err := server.values.Append(nil, line)
		if err != nil {
			return nil, usagef("%s, line %d: %w", name, text.number, err)
		}
		if size += len(payload); size > maxPayloads {
			return nil, usagef("%s has more than %s of messages", name, inBytes(maxPayloads))
		}
		list = append(list, payload)
	}
	if len(list) == 0 {
		return nil, usagef("%s has no message: want a line of JSON for each", name)
	}
	return list, nil
}

// recorded returns the messages that the clients of a recording have sent.
func (c *loadCommand) recorded(server *spoken) (list [][]byte, err error) {
	if c.File == "" || c.File == "-" {
		return nil, usagef("a recording as the input: give its name")
	}
	all, err := readTakes(c.File)
	if err != nil {
		return nil, usage(err)
	}
	if codec := all.codec(); codec != server.Codec {
		return nil, usagef("%s was recorded with the codec %s, and the server's is %s", c.File, quoted(codec), quoted(server.Codec))
	}
	if server.Codec == "gob" {
		return nil, usagef("%s: messages of gob cannot be sent in another order: each depends on those before it; qsocket replay sends them", c.File)
	}
	for _, one := range all.list {
		for _, m := range one.sides[recording.Client].messages {
			list = append(list, m.payload)
		}
	}
	if len(list) == 0 {
		return nil, usagef("%s has no message of a client", c.File)
	}
	return list, nil
}

// loadCodec takes payloads as they are, and makes nothing of those that come.
type loadCodec struct{ payloadCodec }

func (c loadCodec) NewEncoder() qsocket.Encoder[[]byte] { return c }
func (c loadCodec) NewDecoder() qsocket.Decoder[[]byte] { return c }
func (loadCodec) Decode(payload []byte) ([]byte, error) { return nil, nil }

// load is a run. Its goroutines are those of send (open.go, closed.go), and for each connection one that
// receives. They end when all is sent and answered, Timeout after that at the latest, or with their
// connections.
type load struct {
	command  *loadCommand
	protocol qsocket.Protocol[[]byte]
	messages []*qsocket.Prepared[[]byte]
	longest  int // of them, bytes
	conns    []*loadConn
	meter    *meter

	begin time.Time                 // set before the goroutines start
	took  time.Duration             // sending
	stop  chan struct{}             // closed when no more is to be sent
	late  []*hdrhistogram.Histogram // of each sender of the open model, owned by it until its end

	mu       sync.Mutex // guards following
	failures []error
}

// loadConn is one connection.
type loadConn struct {
	*qsocket.Conn[[]byte]
	number int

	// Owned by its sender until its end.
	sent    int  // messages
	blocked bool // there was no room for the next one
	failed  bool

	answers int // owned by its receiver until its end

	times chan time.Time // of the closed model: when the messages without an answer were sent
}

// dialers is how many connections are made at a time.
const dialers = 32

// connect makes all connections.
func (l *load) connect(ctx context.Context) error {
	l.conns = make([]*loadConn, l.command.Conns)
	places := make(chan struct{}, dialers)
	var all sync.WaitGroup
	for i := range l.conns {
		places <- struct{}{}
		all.Go(func() { // ends with the handshake
			defer func() { <-places }()
			conn, err := l.command.talkAs(ctx, l.command.Address, l.protocol)
			if err != nil {
				l.fail(err)
				return
			}
			l.conns[i] = &loadConn{Conn: conn, number: i}
		})
	}
	all.Wait()
	if len(l.failures) == 0 {
		most := l.conns[0].Peer().MaxFrame
		if l.protocol.Name == "" || l.longest <= most {
			return nil
		}
		l.fail(usagef("a message has %d bytes as %s, and the server takes at most %d", l.longest, l.protocol.Codec.Name(), most))
	}
	for _, c := range l.conns {
		if c != nil {
			_ = c.Close()
		}
	}
	return advise(l.command.Address, &l.command.peerOptions, l.failures[0])
}

func (l *load) fail(err error) {
	l.mu.Lock()
	l.failures = append(l.failures, err)
	l.mu.Unlock()
}

// run sends for as long as it is to, and waits for the answers.
func (l *load) run(ctx context.Context) {
	var senders, receivers sync.WaitGroup
	receiving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	l.meter.start(l.command.For)
	l.begin = l.meter.begin
	if l.command.Closed > 0 {
		for _, c := range l.conns {
			c.times = make(chan time.Time, l.command.Closed)
			receivers.Go(func() { l.exchange(receiving, c) })
		}
	} else {
		for _, c := range l.conns {
			receivers.Go(func() { l.receive(receiving, c) })
		}
		l.open(&senders)
	}
	select {
	case <-time.After(l.command.For):
	case <-ctx.Done():
	}
	l.took = time.Since(l.begin)
	l.meter.end()
	close(l.stop)
	senders.Wait()
	for _, c := range l.conns {
		_ = c.CloseWrite()
	}
	late := time.AfterFunc(l.command.Timeout, cancel)
	defer late.Stop()
	if ctx.Err() != nil {
		cancel()
	}
	receivers.Wait()
	var closing sync.WaitGroup
	for _, c := range l.conns {
		closing.Go(func() { _ = c.Close() }) // ends within CloseTimeout
	}
	closing.Wait()
}

// note keeps the error of a connection that has ended before its time.
func (l *load) note(c *loadConn, err error) {
	if err == nil {
		err = errors.New("the server has ended the connection")
	}
	l.fail(err)
}
