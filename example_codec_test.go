package qsocket_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

type event interface{ isEvent() }

type placed struct{ ID int }
type filled struct{ ID, Quantity int }
type halted struct{ Symbol string }

func (placed) isEvent()  {}
func (*filled) isEvent() {} // sent and received as a *filled
func (halted) isEvent()  {}

// Messages of several kinds are the cases of a union, each with a tag and a codec.
func ExampleUnion() {
	cases := []qsocket.Variant[event]{ // or as arguments of Union
		qsocket.Case[event](1, qsocket.Msgpack[placed]()),
		qsocket.Case[event](2, qsocket.Msgpack[*filled]()),
	}
	events := qsocket.Protocol[event]{Name: "orders/1", Codec: qsocket.Union(cases...)}
	a, b := mustPipe(events, nil)
	ctx := context.Background()
	go func() {
		a.Send(ctx, placed{7})
		a.Send(ctx, &filled{7, 10})
		a.Close()
	}()
	for ev, err := range b.All(ctx) {
		switch ev := ev.(type) {
		case placed:
			fmt.Println("placed:", ev.ID)
		case *filled:
			fmt.Println("filled:", ev.ID, ev.Quantity)
		default:
			fmt.Println(err)
		}
	}
	b.Close()
	// Output:
	// placed: 7
	// filled: 7 10
}

// What a newer peer sends besides is dropped, and counted. Otherwise keeps it, and without either it ends the
// connection.
func ExampleSkipUnknown() {
	newer := qsocket.Union(
		qsocket.Case[event](1, qsocket.Msgpack[placed]()),
		qsocket.Case[event](3, qsocket.Msgpack[halted]()),
		qsocket.SkipUnknown[event](),
	)
	older := qsocket.Union(qsocket.Case[event](1, qsocket.Msgpack[placed]()), qsocket.SkipUnknown[event]())
	payload, _ := newer.NewEncoder().Append(nil, halted{"RYE"})
	_, err := older.NewDecoder().Decode(payload)
	fmt.Println(err != nil) // a Conn passes over it, and adds one to its Stats.Unknown

	keeping := qsocket.Union(
		qsocket.Case[event](1, qsocket.Msgpack[placed]()),
		qsocket.Otherwise(func(tag uint64, payload []byte) (event, error) {
			return halted{fmt.Sprintf("case %d, %d bytes", tag, len(payload))}, nil
		}),
	)
	fmt.Println(keeping.NewDecoder().Decode(payload))
	// Output:
	// true
	// {case 3, 12 bytes} <nil>
}

// The default codec, and how its options change it.
func ExampleMsgpack() {
	type point struct{ X, Y int }
	for _, codec := range []qsocket.Codec[point]{
		qsocket.Msgpack[point](),
		qsocket.Msgpack[point](qsocket.ArrayEncodedStructs()), // smaller, and fields cannot be added
	} {
		var enc qsocket.Encoder[point] = codec.NewEncoder() // one for each connection
		payload, err := enc.Append(nil, point{3, 4})
		fmt.Printf("% x %v\n", payload, err)
	}
	var strict qsocket.MsgpackOption = qsocket.DisallowUnknownFields()
	_, err := qsocket.Msgpack[struct{ X int }](strict).NewDecoder().Decode([]byte("\x82\xa1X\x03\xa1Y\x04"))
	fmt.Println(err)
	_, err = qsocket.Msgpack[[]struct{ X [100]int }](qsocket.MaxExpansion(1)).NewDecoder().Decode([]byte("\xdc\x00\x80" + string(make([]byte, 128))))
	fmt.Println(err != nil)
	broken, err := qsocket.Msgpack[string](qsocket.AllowInvalidUTF8()).NewDecoder().Decode([]byte("\xa1\xff"))
	fmt.Printf("%q %v\n", broken, err)
	// Output:
	// 82 a1 58 03 a1 59 04 <nil>
	// 92 03 04 <nil>
	// msgpack: message: unknown field "Y"
	// true
	// "\xff" <nil>
}

// One stream for each connection: types travel once.
func ExampleGob() {
	enc := qsocket.Gob[filled]().NewEncoder()
	first, err := enc.Append(nil, filled{7, 10})
	if err != nil {
		log.Fatal(err)
	}
	second, err := enc.Append(nil, filled{7, 10})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the second is less than a quarter:", 4*len(second) < len(first))
	// Output:
	// the second is less than a quarter: true
}

// Payloads that people can read.
func ExampleJSON() {
	payload, err := qsocket.JSON[filled]().NewEncoder().Append(nil, filled{7, 10})
	fmt.Println(string(payload), err)
	// Output:
	// {"ID":7,"Quantity":10} <nil>
}

// celsius encodes itself.
type celsius int16

func (c celsius) AppendBinary(b []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint16(b, uint16(c)), nil
}

func (c *celsius) UnmarshalBinary(b []byte) error {
	if len(b) != 2 {
		return errors.New("want 2 bytes")
	}
	*c = celsius(binary.BigEndian.Uint16(b))
	return nil
}

// Types that have methods to encode themselves.
func ExampleBinary() {
	codec := qsocket.Binary[celsius]()
	payload, _ := codec.NewEncoder().Append(nil, -40)
	fmt.Printf("% x\n", payload)
	var dec qsocket.Decoder[celsius] = codec.NewDecoder()
	_, err := dec.Decode(payload[:1])
	fmt.Println(err)
	// Output:
	// ff d8
	// want 2 bytes
}

// A message that does not decode ends the connection that it came by, and nothing else.
func ExampleCodecError() {
	picky := qsocket.Stateless("picky",
		func(s string) ([]byte, error) { return []byte(s), nil },
		func(payload []byte, s *string) error { return errors.New("not to my taste") })
	a, b := mustPipe(qsocket.Protocol[string]{Name: "words/1", Codec: picky}, nil)
	go a.Send(context.Background(), "word")
	_, err := b.Recv(context.Background())
	var broken *qsocket.CodecError
	if errors.As(err, &broken) {
		fmt.Println(broken.Op, broken.Codec, broken.Err)
	}
	a.Close()
	b.Close()
	// Output:
	// decode picky not to my taste
}

// A message for connections of one's own choice, encoded once.
func ExamplePrepared() {
	protocol := qsocket.Protocol[string]{Name: "ticks/1"}
	var tick *qsocket.Prepared[string]
	tick, err := protocol.Prepare("to some")
	fmt.Println(err)
	a, b := mustPipe(protocol, nil)
	go a.SendPrepared(context.Background(), tick)
	fmt.Println(b.Recv(context.Background()))
	var sums qsocket.Stats = b.Stats()
	fmt.Println(sums.MessagesReceived, sums.BytesReceived)
	a.Close()
	b.Close()
	// Output:
	// <nil>
	// to some <nil>
	// 1 12
}

// Raw mode with the header that a peer in another language expects.
func ExampleFraming() {
	for _, framing := range []qsocket.Framing{qsocket.Uint32, qsocket.Uint16, qsocket.Netstring} {
		na, nb := net.Pipe()
		conn, err := qsocket.NewConn(context.Background(), na, qsocket.Protocol[string]{Codec: qsocket.JSON[string](), Framing: framing}, nil)
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			conn.Send(context.Background(), "hi")
			conn.Close()
		}()
		sent, _ := io.ReadAll(nb)
		fmt.Printf("%v %q\n", framing, sent)
	}
	// Output:
	// Uint32 "\x00\x00\x00\x04\"hi\""
	// Uint16 "\x00\x04\"hi\""
	// Netstring "4:\"hi\","
}

// What a Group does with a member that has no room for a message.
func ExampleOverflow() {
	for _, policy := range []qsocket.Overflow{qsocket.Block, qsocket.Drop, qsocket.Disconnect} {
		a, b := mustPipe(echoes, &qsocket.Options{SendBuffer: 1, CloseTimeout: time.Millisecond})
		group := qsocket.NewGroup(echoes, policy)
		group.Add(a)
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		var err error
		for err == nil && a.Stats().Dropped == 0 && group.Len() > 0 {
			_, err = group.Broadcast(ctx, strings.Repeat("m", 1000)) // b takes nothing
		}
		if policy == qsocket.Disconnect {
			<-a.Done() // it ends in the background
		}
		fmt.Println(policy, "|", err, "|", a.Stats().Dropped, "|", a.Err())
		cancel()
		a.Close()
		b.Close()
	}
	// Output:
	// Block | context deadline exceeded | 0 | <nil>
	// Drop | <nil> | 1 | <nil>
	// Disconnect | <nil> | 0 | qsocket: slow consumer
}
