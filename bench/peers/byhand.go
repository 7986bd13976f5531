package peers

import (
	"bufio"
	"encoding/binary"
	"encoding/gob"
	"net"
	"sync"
)

// byhandContestants returns what a good engineer writes without a library: a
// codec on a buffered connection, and a mutex.
func byhandContestants() []Contestant {
	var all []Contestant
	for _, mode := range []struct {
		name, note string
		batched    bool
	}{
		{name: "by hand, flush each", note: "no bound on waiting, no orderly end"},
		{name: "by hand, batched", note: "no bound on waiting, no orderly end; the program flushes when it knows that nothing follows", batched: true},
	} {
		all = append(all, onStreams(encrypted, Contestant{Name: mode.name, Codec: "msgpack", Note: mode.note},
			func(nc net.Conn, m Message) (End, error) { return newMsgpackEnd(nc, m, mode.batched), nil })...)
		all = append(all, onStream(Contestant{Name: mode.name, Codec: "gob", Note: mode.note},
			func(nc net.Conn, m Message) (End, error) { return newGobEnd(nc, m, mode.batched), nil }))
	}
	return all
}

// msgpackEnd sends frames of a 4-byte length and a payload.
type msgpackEnd struct {
	nc      net.Conn
	batched bool
	in      *frameReader
	codec   *msgpackCodec // append is guarded by mu, decode belongs to Recv

	mu    sync.Mutex // guards following
	frame []byte
	out   *bufio.Writer
}

func newMsgpackEnd(nc net.Conn, m Message, batched bool) End {
	return &msgpackEnd{
		nc: nc, batched: batched,
		in: newFrameReader(nc), codec: newMsgpackCodec(m),
		frame: make([]byte, headerSize), out: bufio.NewWriterSize(nc, bufferSize),
	}
}

func (e *msgpackEnd) Send(stamp int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	frame, err := e.codec.append(e.frame[:headerSize], stamp)
	if err != nil {
		return err
	}
	e.frame = frame
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-headerSize))
	if _, err := e.out.Write(frame); err != nil || e.batched {
		return err
	}
	return e.out.Flush()
}

func (e *msgpackEnd) Flush() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.out.Flush()
}

func (e *msgpackEnd) Recv() (int64, error) {
	payload, err := e.in.next()
	if err != nil {
		return 0, err
	}
	return e.codec.decode(payload)
}

func (e *msgpackEnd) Pending() bool { return e.in.pending() }
func (e *msgpackEnd) Close() error  { return closeHard(e.nc) }

// gobEnd sends one gob stream each way. It needs no frames: gob's messages
// begin with their length.
type gobEnd struct {
	nc      net.Conn
	m       Message
	batched bool

	// Owned by Recv.
	in      *bufio.Reader
	dec     *gob.Decoder
	inOrder Order
	inBlob  Blob

	mu      sync.Mutex // guards following
	out     *bufio.Writer
	enc     *gob.Encoder
	order   Order
	outBlob Blob
}

func newGobEnd(nc net.Conn, m Message, batched bool) End {
	e := &gobEnd{
		nc: nc, m: m, batched: batched,
		in: bufio.NewReaderSize(nc, bufferSize), out: bufio.NewWriterSize(nc, bufferSize),
		outBlob: m.blob(),
	}
	e.enc = gob.NewEncoder(e.out)
	e.dec = gob.NewDecoder(e.in)
	return e
}

func (e *gobEnd) Send(stamp int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var err error
	if e.m.BlobSize > 0 {
		e.outBlob.TS = stamp
		err = e.enc.Encode(&e.outBlob)
	} else {
		e.order = e.m.order(stamp)
		err = e.enc.Encode(&e.order)
	}
	if err != nil || e.batched {
		return err
	}
	return e.out.Flush()
}

func (e *gobEnd) Flush() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.out.Flush()
}

// Recv returns what belongs to the receiver: nothing of it is used again.
func (e *gobEnd) Recv() (int64, error) {
	if e.m.BlobSize > 0 {
		e.inBlob = Blob{}
		err := e.dec.Decode(&e.inBlob)
		return e.inBlob.TS, err
	}
	e.inOrder = Order{}
	err := e.dec.Decode(&e.inOrder)
	return e.inOrder.TS, err
}

// Pending takes part of a message for one: what an echo has in flight fits into
// the sender's buffer, so the rest is on its way.
func (e *gobEnd) Pending() bool { return e.in.Buffered() > 0 }
func (e *gobEnd) Close() error  { return closeHard(e.nc) }
