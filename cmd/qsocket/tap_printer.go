package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/fatih/color"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/conversation"
)

// tapPrinter prints the events of all connections.
type tapPrinter struct {
	json bool
	show int

	mu    sync.Mutex
	w     *bufio.Writer
	err   error
	last  map[uint32]time.Time // of each connection: when the event before came
	paint tapPalette
	line  []byte
}

// tapPalette has a color for each kind of thing in a line.
type tapPalette struct {
	client, server, control, fault, faint *color.Color
}

func newTapPrinter(w io.Writer, c *tapCommand) *tapPrinter {
	colors := c.Color == "always" || c.Color == "auto" && isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	paint := func(attributes ...color.Attribute) *color.Color {
		p := color.New(attributes...)
		if colors {
			p.EnableColor()
		} else {
			p.DisableColor()
		}
		return p
	}
	return &tapPrinter{
		json: c.JSON, show: c.Show, w: bufio.NewWriterSize(w, 64<<10), last: make(map[uint32]time.Time),
		paint: tapPalette{paint(color.FgCyan), paint(color.FgGreen), paint(color.FgMagenta), paint(color.FgRed), paint(color.Faint)},
	}
}

// event prints an event.
func (p *tapPrinter) event(e *conversation.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		p.jsonLine(e)
	} else {
		p.textLine(e)
	}
	if _, err := p.w.Write(p.line); err != nil && p.err == nil {
		p.err = err
	}
	if cap(p.line) > 1<<20 {
		p.line = nil
	}
}

func (p *tapPrinter) jsonLine(e *conversation.Event) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		b.Reset()
		fmt.Fprintf(&b, `{"conn":%d,"type":"failed","error":"an event that is not printed"}`+"\n", e.Conn)
	}
	p.line = appendPrintable(p.line[:0], b.Bytes())
}

// appendPrintable appends a line of JSON, with escapes for what is not printable. Outside of
// strings there is nothing of that kind.
func appendPrintable(dst, line []byte) []byte {
	for i := 0; i < len(line); {
		if c := line[i]; c >= ' ' && c < 0x7f || c == '\n' {
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRune(line[i:])
		i += n
		switch {
		case strconv.IsPrint(r):
			dst = utf8.AppendRune(dst, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
	}
	return dst
}

// textLine makes a line such as
//
//	1.4    15:04:05.000123 +0.000034s ← message 30 Fill {"ID":1}
func (p *tapPrinter) textLine(e *conversation.Event) {
	since := time.Duration(0)
	if last, ok := p.last[e.Conn]; ok {
		since = e.Time.Sub(last)
	}
	p.last[e.Conn] = e.Time
	number := fmt.Sprintf("%d", e.Conn)
	if e.N > 0 {
		number += fmt.Sprintf(".%d", e.N)
	}
	arrow, side := " ", p.paint.faint
	switch e.From {
	case "client":
		arrow, side = "→", p.paint.client
	case "server":
		arrow, side = "←", p.paint.server
	}
	kind := p.paint.control
	if e.Type == "message" {
		kind = side
	}
	b := fmt.Appendf(p.line[:0], "%-6s %s %s %s", number, p.paint.faint.Sprintf("%s %+.6fs", e.Time.Format(clock), since.Seconds()),
		side.Sprint(arrow), kind.Sprint(e.Type))
	if e.Size > 0 {
		b = fmt.Appendf(b, " %s", p.paint.faint.Sprintf("%d", e.Size))
	}
	if e.Case != "" {
		b = fmt.Appendf(b, " %s", side.Sprint(e.Case))
	}
	if words := e.Words(); words != "" {
		b = fmt.Appendf(b, " %s", words)
	}
	if e.Type == "open" {
		b = fmt.Appendf(b, " %s", e.Text)
		e.Text = ""
	}
	if e.Message != nil {
		text := valueOf(e.Message, e.Case)
		if p.show > 0 && len(text) > p.show {
			text = fmt.Appendf(cutText(text, p.show), "… (%d bytes of text in all)", len(text))
		}
		b = append(append(b, ' '), text...)
	}
	if e.Error != "" {
		b = fmt.Appendf(b, " %s", p.paint.fault.Sprint(e.Error))
	}
	b = append(b, '\n')
	for line := range strings.Lines(e.Text) {
		b = fmt.Appendf(b, "%s\n", p.paint.faint.Sprint("         "+shown(strings.TrimSuffix(line, "\n"))))
	}
	p.line = b
	if e.Type == "closed" || e.Type == "failed" {
		delete(p.last, e.Conn)
	}
}

// cutText returns the first n bytes of text, or a few less so that no character is cut.
func cutText(text []byte, n int) []byte {
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return append([]byte(nil), text[:n]...)
}

// idle writes out what has been printed.
func (p *tapPrinter) idle() { _ = p.flush() }

func (p *tapPrinter) flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.w.Flush(); err != nil && p.err == nil {
		p.err = err
	}
	return p.err
}
