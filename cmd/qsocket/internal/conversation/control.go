package conversation

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/wire"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/frames"
)

// Hello is what a hello says. The values of attributes, and what names a session, may be secrets:
// they are not in it.
type Hello struct {
	Proto      string   `json:"proto"`
	Codec      string   `json:"codec"`
	Max        uint64   `json:"max"`
	Heartbeat  uint64   `json:"heartbeat_ms"`
	Types      string   `json:"types,omitempty"`
	Desc       uint64   `json:"description_bytes,omitempty"`
	Admits     bool     `json:"admits,omitempty"`
	Attributes []string `json:"attributes,omitempty"` // their names
	Session    *Session `json:"session,omitempty"`
}

// Session is what a hello says of sessions.
type Session struct {
	Asked  bool   `json:"asked,omitempty"` // the client wants one
	Try    uint64 `json:"try,omitempty"`
	New    bool   `json:"new,omitempty"`
	Got    uint64 `json:"got,omitempty"`
	Keep   uint64 `json:"keep,omitempty"`
	Expiry uint64 `json:"expiry_ms,omitempty"` // of a server that has sessions
}

func newHello(h *wire.Hello) *Hello {
	e := &Hello{Proto: shown(h.Proto), Codec: shown(h.Codec), Max: *h.Max, Heartbeat: h.Beat, Types: h.Types, Desc: h.Desc, Admits: h.Admits}
	for _, name := range slices.Sorted(maps.Keys(h.Attr)) {
		e.Attributes = append(e.Attributes, shown(name))
	}
	if s := (Session{h.Session != nil, h.Try, h.New, h.Got, h.Keep, h.Expiry}); s != (Session{}) {
		e.Session = &s
	}
	return e
}

// control fills in what a control frame says.
func (c *Conversation) control(from Side, f *frames.Frame, e *Event) {
	var err error
	switch f.Control {
	case wire.KindGoodbye:
		e.Type = "goodbye"
		var g wire.Goodbye
		if g, err = wire.ParseGoodbye(f.Body); err == nil {
			e.Full, e.Reason, e.Code = &g.Full, shown(g.Reason), g.Code
		}
	case wire.KindHeartbeat:
		e.Type = "heartbeat"
		err = empty(f)
	case wire.KindConfirm:
		e.Type = "confirm"
		err = empty(f)
	case wire.KindSession:
		e.Type = "session"
		var s wire.Session
		if s, err = wire.ParseSession(f.Body); err == nil {
			e.State, e.Count, e.Reason = states[s.State], &s.Got, shown(s.Why)
		}
	case wire.KindAck:
		e.Type = "ack"
		var taken uint64
		if taken, err = wire.ParseAck(f.Body); err == nil {
			e.Count = &taken
		}
	case wire.KindAsk:
		e.Type = "ask"
		err = empty(f)
	case wire.KindTypes:
		e.Type = "description"
		c.description(from, f, e)
	case wire.KindGoingAway:
		e.Type = "going away"
		var g wire.GoingAway
		if g, err = wire.ParseGoingAway(f.Body); err == nil {
			e.Reason = shown(g.Reason)
		}
	case wire.KindAdmitted:
		e.Type = "admitted"
		err = empty(f)
	default:
		e.Type = fmt.Sprintf("control %02x", f.Control)
		if f.Control < wire.KindExtension {
			e.Error = "a kind that is reserved"
		}
	}
	if err != nil {
		e.Error = shown(err.Error())
	}
}

// empty returns an error if a frame has a body, where none has one.
func empty(f *frames.Frame) error {
	if f.Size > 0 {
		return fmt.Errorf("a body of %d bytes, want none", f.Size)
	}
	return nil
}

var states = map[wire.SessionState]string{
	wire.SessionCreated: "created", wire.SessionResumed: "resumed", wire.SessionOver: "over",
	wire.SessionLost: "lost", wire.SessionStale: "stale", wire.SessionBusy: "busy",
}

// description takes a part of a description. The last one is the event that has the whole text.
func (c *Conversation) description(from Side, f *frames.Frame, e *Event) {
	s := &c.sides[from]
	if s.hello == nil || s.text != "" || uint64(len(s.told))+f.Size > s.hello.Desc {
		e.Error = "a part of no description that was announced"
		return
	}
	s.told = append(s.told, f.Body...)
	if uint64(len(s.told)) < s.hello.Desc {
		return
	}
	text := string(s.told)
	s.told = nil
	if got := schema.Fingerprint(text); got != s.hello.Types {
		e.Error = fmt.Sprintf("its fingerprint is %s, and not that of the hello", got)
		return
	}
	if _, err := schema.Parse(text); err != nil {
		e.Error = shown(err.Error())
		return
	}
	s.text, s.values, e.Text = text, nil, text
	c.sides[1-from].values = nil
	if c.opts.Told != nil {
		c.opts.Told(s.hello.Types, text)
	}
}

// Words says what there is in an event besides its message, for people.
func (e *Event) Words() string {
	switch e.Type {
	case "hello":
		if e.Hello != nil {
			return e.Hello.words()
		}
	case "goodbye":
		if e.Full != nil {
			words := map[bool]string{false: "half: sends no more messages", true: "full: sends and reads no more messages"}[*e.Full]
			return words + reasonWords(e.Reason, e.Code)
		}
	case "going away":
		return "will end the connection before long" + reasonWords(e.Reason, 0)
	case "heartbeat":
		return "is alive"
	case "confirm":
		return "has taken every message before the goodbye"
	case "ack":
		if e.Count != nil {
			return fmt.Sprintf("its program has taken %d messages of the session", *e.Count)
		}
	case "ask":
		return "wants an ack"
	case "admitted":
		return "the peer is let in"
	case "session":
		if e.Count != nil {
			return fmt.Sprintf("%s, %d messages had%s", e.State, *e.Count, reasonWords(e.Reason, 0))
		}
	case "description":
		if e.Text == "" {
			return "a part of it"
		}
		return "of the message types"
	case "bytes":
		return "not decoded"
	case "skipped":
		return fmt.Sprintf("%d bytes with the ends of %d frames", e.Size, *e.Count)
	case "end":
		return "sends nothing any longer (FIN)"
	}
	return ""
}

func reasonWords(reason string, code uint16) string {
	words := ""
	if code != 0 {
		words += fmt.Sprintf(", code %d", code)
	}
	if reason != "" {
		words += ", because \"" + reason + "\""
	}
	return words
}

func (h *Hello) words() string {
	words := fmt.Sprintf("%s, codec %s, takes up to %d bytes", h.Proto, h.Codec, h.Max)
	if h.Heartbeat > 0 {
		words += fmt.Sprintf(", heartbeat %v", time.Duration(h.Heartbeat)*time.Millisecond)
	}
	if h.Types != "" {
		words += ", types " + h.Types
	}
	if h.Admits {
		words += ", decides whom it lets in"
	}
	if len(h.Attributes) > 0 {
		words += fmt.Sprintf(", attributes %q", h.Attributes)
	}
	if s := h.Session; s != nil && s.Asked {
		words += fmt.Sprintf(", a session, attempt %d, %d messages had", s.Try, s.Got)
		if s.New {
			words += ", new"
		}
	} else if s != nil && s.Expiry > 0 {
		words += fmt.Sprintf(", has sessions, which wait %v", time.Duration(s.Expiry)*time.Millisecond)
	}
	return words
}
