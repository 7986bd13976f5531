package ends_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/fb9bb4ed/qsocket"
)

// classes gives errors short names: what they wrap, and two digits for the text.
type classes struct {
	names map[string]string // and the texts for which they stand
}

func newClasses() *classes { return &classes{make(map[string]string)} }

var sentinels = []struct {
	err  error
	name string
}{
	{net.ErrClosed, "closed"},
	{io.EOF, "EOF"},
	{io.ErrUnexpectedEOF, "unexpected-EOF"},
	{os.ErrDeadlineExceeded, "deadline"},
	{context.Canceled, "canceled"},
	{errors.ErrUnsupported, "unsupported"},
	{errReset, "reset"},
	{errPipe, "pipe"},
	{errNoFIN, "no-FIN"},
	{qsocket.ErrFrameTooLarge, "too-large"},
	{qsocket.ErrProtocol, "protocol"},
	{qsocket.ErrPeerDead, "peer-dead"},
	{qsocket.ErrUnconfirmed, "unconfirmed"},
	{qsocket.ErrSlowConsumer, "slow-consumer"},
}

// of returns the name of err.
func (c *classes) of(err error) string {
	if err == nil {
		return "ok"
	}
	var words []string
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			words = append(words, s.name)
		}
	}
	if e := (*qsocket.RemoteError)(nil); errors.As(err, &e) {
		words = append(words, "remote")
	}
	if e := (*qsocket.CodecError)(nil); errors.As(err, &e) {
		words = append(words, e.Op)
	}
	if words == nil {
		words = []string{"error"}
	}
	name := strings.Join(words, "+") + "." + digest(err.Error())[:2]
	if text, ok := c.names[name]; ok && text != err.Error() {
		panic(fmt.Sprintf("%s stands for %q and %q", name, text, err))
	}
	c.names[name] = err.Error()
	return name
}

// legend tells what the names mean.
func (c *classes) legend() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c.names)) {
		fmt.Fprintf(&b, "error %s: %s\n", name, c.names[name])
	}
	return b.String()
}
