package peers

import (
	"fmt"
	"net"
	"testing"
)

// connOf returns the connection below an end of those that hand it out.
func connOf(end End) net.Conn {
	switch end := end.(type) {
	case *rawEnd:
		return end.nc
	case *msgpackEnd:
		return end.nc
	case *gorillaEnd:
		return end.conn.NetConn()
	case *qsocketEnd[encoded]:
		return end.conn.NetConn()
	case *qsocketEnd[Order]:
		return end.conn.NetConn()
	case *qsocketChannelEnd[encoded]:
		return end.conn.NetConn()
	case *qsocketChannelEnd[Order]:
		return end.conn.NetConn()
	}
	return nil
}

// Over tells the truth: what the connections of a contestant really are.
func TestOver(t *testing.T) {
	types := map[Transport]string{TCP: "*net.TCPConn", TLS: "*tls.Conn", Unix: "*net.UnixConn", Wrapper: "peers.wrapped"}
	each(t, func(t *testing.T, c Contestant) {
		_, clients, servers := open(t, c, Message{}, 1)
		for _, end := range append(clients, servers...) {
			if end, ok := end.(*natsEnd); ok {
				if _, err := end.nc.TLSConnectionState(); (err == nil) != (c.Over == TLS) {
					t.Errorf("the state of TLS: %v", err)
				}
			}
			if nc := connOf(end); nc != nil && fmt.Sprintf("%T", nc) != types[c.Over] {
				t.Errorf("the connection is a %T, want a %s", nc, types[c.Over])
			}
		}
	})
}
