package codecbench_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/codecbench"
	"github.com/fb9bb4ed/qsocket/internal/leak"
)

// TestMain fails the run if connections of the package outlive its tests.
func TestMain(m *testing.M) {
	codecbench.SpendLittle()
	leak.Main(m)
}

// trade is the message of the tests.
type trade struct {
	ID     uint64
	Symbol string
	Price  float64
	Tags   []string
}

var trades = []trade{
	{1, "ABC", 101.5, []string{"open"}},
	{2, "XYZ-PERP", 0.25, []string{"a", "b"}},
	{3, "", -7, nil},
}

// AppendBinary and UnmarshalBinary carry everything but the tags.
func (t trade) AppendBinary(b []byte) ([]byte, error) {
	b = binary.AppendUvarint(b, t.ID)
	b = binary.AppendVarint(b, int64(t.Price*100))
	return append(b, t.Symbol...), nil
}

func (t *trade) UnmarshalBinary(b []byte) error {
	id, n := binary.Uvarint(b)
	if n <= 0 {
		return errors.New("no ID")
	}
	cents, m := binary.Varint(b[n:])
	if m <= 0 {
		return errors.New("no price")
	}
	*t = trade{ID: id, Price: float64(cents) / 100, Symbol: string(b[n+m:])}
	return nil
}

// quote is trade without the methods, which all codecs of qsocket would use.
type quote trade

var quotes = func() (all []quote) {
	for _, t := range trades {
		all = append(all, quote(t))
	}
	return all
}()

// counted is a codec whose payloads make sense only in the order in which they
// were made, each of them once. It carries a number in the clear behind that.
type counted struct{}

func (counted) Name() string                      { return "counted" }
func (counted) NewEncoder() qsocket.Encoder[byte] { return new(counter) }
func (counted) NewDecoder() qsocket.Decoder[byte] { return new(counter) }

type counter struct{ next uint32 }

func (c *counter) Append(dst []byte, v byte) ([]byte, error) {
	c.next++
	return append(binary.BigEndian.AppendUint32(dst, c.next), v), nil
}

func (c *counter) Decode(payload []byte) (byte, error) {
	c.next++
	if len(payload) != 5 || binary.BigEndian.Uint32(payload) != c.next {
		return 0, fmt.Errorf("payload % x, want number %d", payload, c.next)
	}
	return payload[4], nil
}
