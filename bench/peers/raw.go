package peers

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
)

// rawContestants returns the two limits: what the socket allows to a program
// that has encoded its frames beforehand and uses no library.
func rawContestants() []Contestant {
	return slices.Concat(
		onStreams(Transports, Contestant{
			Name: "raw batched", Codec: "none",
			Note: "the limit for streams: no library, frames encoded beforehand, through 64 KiB buffers that the program flushes when it knows that nothing follows",
		}, func(nc net.Conn, m Message) (End, error) {
			return newRawEnd(nc, m, bufio.NewWriterSize(nc, bufferSize))
		}),
		onStreams(Transports, Contestant{
			Name: "raw", Codec: "none",
			Note: "the limit for single messages: no library, one Write for each frame",
		}, func(nc net.Conn, m Message) (End, error) {
			return newRawEnd(nc, m, nil)
		}),
	)
}

type rawEnd struct {
	nc net.Conn
	in *frameReader

	mu    sync.Mutex // guards following
	frame []byte
	out   *bufio.Writer // nil: each message is written at once
}

func newRawEnd(nc net.Conn, m Message, out *bufio.Writer) (End, error) {
	payload, err := m.payload()
	if err != nil {
		return nil, err
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	return &rawEnd{nc: nc, in: newFrameReader(nc), frame: append(frame, payload...), out: out}, nil
}

func (e *rawEnd) Send(stamp int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	putStamp(e.frame, stamp)
	var err error
	if e.out != nil {
		_, err = e.out.Write(e.frame)
	} else {
		_, err = e.nc.Write(e.frame)
	}
	return err
}

func (e *rawEnd) Flush() error {
	if e.out == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.out.Flush()
}

func (e *rawEnd) Recv() (int64, error) {
	payload, err := e.in.next()
	if err != nil {
		return 0, err
	}
	if want := len(e.frame) - headerSize; len(payload) != want {
		return 0, fmt.Errorf("payload of %d bytes, want %d", len(payload), want)
	}
	return getStamp(payload), nil
}

func (e *rawEnd) Pending() bool { return e.in.pending() }
func (e *rawEnd) Close() error  { return closeHard(e.nc) }
