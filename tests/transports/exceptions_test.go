package transports_test

import "slices"

// exception is a promise that does not hold over some transports.
type exception struct {
	rows   []string
	kinds  []string
	modes  []mode
	reason string // for the document

	// sometimes: what comes of it is left to chance, so a test cannot tell whether the
	// exception is still one.
	sometimes bool
}

var (
	onlyRaw = []mode{raw}

	websockets = []string{"websocket-coder", "websocket-gorilla"}

	// noHalf have no half-close.
	noHalf = append([]string{"pipe", "embeds-conn", "cmux", "yamux", "smux"}, websockets...)

	// foreign are those of which a Read cannot be interrupted without harm, as far as the
	// library knows.
	foreign = append([]string{"tls-wrapped", "embeds-conn", "embeds-tcp", "embeds-tls", "rate-limited", "cmux", "yamux", "smux", "quic"}, websockets...)

	// foreignHalf are those of them that have a half-close.
	foreignHalf = []string{"tls-wrapped", "embeds-tcp", "embeds-tls", "rate-limited", "quic"}
)

var exceptions = []exception{
	{rows: []string{"recv-ctx"}, kinds: websockets, modes: both,
		reason: "a read deadline that passes is the end of a WebSocket: a ctx that ends costs the connection. Give `Recv` one without an end, or use `Messages` in a `select`"},
	{rows: []string{"close-wakes", "serve-wakes"}, kinds: foreign, modes: onlyNamed,
		reason: "closing interrupts no read, since that might be the end of the connection and of what is still to be sent. A parked `Recv` returns when the peer has ended too, or after CloseTimeout"},
	{rows: []string{"close-wakes", "serve-wakes"}, kinds: foreignHalf, modes: onlyRaw,
		reason: "as in named mode; without a half-close the connection is closed at once, which ends the `Recv`"},
	{rows: []string{"shutdown-nil"}, kinds: noHalf, modes: onlyRaw,
		reason: "without a half-close, in raw mode, nothing tells whether the peer has read to the end: `ErrUnconfirmed`"},
	{rows: []string{"flood-all"}, kinds: []string{"embeds-conn", "cmux", "websocket-coder", "websocket-gorilla"}, modes: onlyRaw, sometimes: true,
		reason: "TCP without a half-close: the socket is closed with bytes of the peer's unread, and the reset that follows may destroy what the peer has not read yet"},
	{rows: []string{"close-write"}, kinds: noHalf, modes: onlyRaw,
		reason: "no half-close: the error wraps `errors.ErrUnsupported`, and nothing has happened"},
	{rows: []string{"silence-send"}, modes: onlyNamed,
		kinds:  append([]string{"tls-pipe", "tls-wrapped", "pipe", "embeds-conn", "embeds-tcp", "rate-limited", "cmux", "yamux", "smux", "quic", "ssh"}, websockets...),
		reason: "whether unread bytes of the peer's wait below cannot be seen, so nothing is concluded while nothing receives: the `Send` waits for its ctx. Receive, or call `Done`"},
	{rows: []string{"failure"}, modes: onlyRaw,
		kinds:  append([]string{"unix", "tls-pipe", "tls-wrapped", "pipe", "embeds-conn", "cmux", "yamux", "smux", "quic", "ssh"}, websockets...),
		reason: "no reset can be sent, or not by the methods that there are (`SetLinger`, `NetConn`). Only named mode tells a failure from an end there"},
	{rows: []string{"parked", "shutdown", "serve-end", "clean"}, kinds: []string{"websocket-coder"}, modes: onlyRaw, sometimes: true,
		reason: "its `Close` breaks off a read that is under way, and with it the connection, before it says that this is the end: the peer gets all messages, and then a failure"},
}

func exceptionFor(k kind, r row, m mode) *exception {
	for i := range exceptions {
		x := &exceptions[i]
		if slices.Contains(x.rows, r.name) && slices.Contains(x.kinds, k.name) && slices.Contains(x.modes, m) {
			return x
		}
	}
	return nil
}
