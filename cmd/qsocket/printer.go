package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/value"
)

// printer prints messages, a line for each.
type printer struct {
	w      *bufio.Writer
	times  bool
	json   bool
	format []verb // nil: the message

	line   []byte
	last   time.Time // when the message before came
	broken error     // why the last message was not decoded
}

// verb is a part of a format: a text, or one of %m, %v, %c, %n, %s, %t and %d.
type verb struct {
	text string
	verb byte
}

func newPrinter(w io.Writer, c *catCommand) (*printer, error) {
	p := &printer{w: bufio.NewWriterSize(w, 32<<10), times: c.Times, json: c.JSON}
	if c.Format == "" {
		return p, nil
	}
	if c.JSON {
		return nil, usagef("--format and --json: want one of them")
	}
	var err error
	p.format, err = parseFormat(c.Format)
	return p, usage(err)
}

// parseFormat reads a format. Besides verbs it may have \n, \t and \\.
func parseFormat(s string) (verbs []verb, err error) {
	s = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t").Replace(s)
	for s != "" {
		text, rest, found := strings.Cut(s, "%")
		if text != "" {
			verbs = append(verbs, verb{text: text})
		}
		if !found {
			break
		}
		switch {
		case rest == "":
			return nil, fmt.Errorf("--format ends in %%: want a verb behind it, or %%%%")
		case rest[0] == '%':
			verbs = append(verbs, verb{text: "%"})
		case strings.IndexByte("mvcnstd", rest[0]) < 0:
			return nil, fmt.Errorf("--format has %%%c: want one of %%m, %%v, %%c, %%n, %%s, %%t, %%d and %%%%", []rune(rest)[0])
		default:
			verbs = append(verbs, verb{verb: rest[0]})
		}
		s = rest[1:]
	}
	return verbs, nil
}

// message prints the n-th message. If it cannot be decoded, it is printed as bytes, and broken
// says why.
func (p *printer) message(n int, payload []byte, values encoder) error {
	now := time.Now()
	if p.last.IsZero() {
		p.last = now
	}
	since := now.Sub(p.last)
	p.last = now
	text, err := values.Decode(nil, payload)
	if p.broken = err; err != nil {
		text = value.Raw(nil, payload)
	}
	name, _ := values.Case(payload)
	b := p.line[:0]
	switch {
	case p.json:
		b = fmt.Appendf(b, `{"n":%d,"time":"%s","delta_ms":%g,"size":%d,`, n, now.Format(time.RFC3339Nano), inMS(since), len(payload))
		if name != "" {
			b = fmt.Appendf(b, `"case":%s,`, quoteJSON(name))
		}
		b = append(append(append(b, `"message":`...), text...), '}')
	case p.format != nil:
		for _, v := range p.format {
			b = v.append(b, n, now, since, payload, name, text)
		}
	default:
		if p.times {
			b = fmt.Appendf(b, "%s %+.6fs ", now.Format(clock), since.Seconds())
		}
		b = append(b, text...)
	}
	p.line = append(b, '\n')
	_, err = p.w.Write(p.line)
	if cap(p.line) > 1<<20 {
		p.line = nil
	}
	return err
}

// clock is how a time of today is shown.
const clock = "15:04:05.000000"

func (v verb) append(b []byte, n int, now time.Time, since time.Duration, payload []byte, name string, text []byte) []byte {
	switch v.verb {
	case 'm':
		return append(b, text...)
	case 'v':
		return append(b, valueOf(text, name)...)
	case 'c':
		return append(b, name...)
	case 'n':
		return strconv.AppendInt(b, int64(n), 10)
	case 's':
		return strconv.AppendInt(b, int64(len(payload)), 10)
	case 't':
		return now.AppendFormat(b, time.RFC3339Nano)
	case 'd':
		return strconv.AppendFloat(b, inMS(since), 'f', -1, 64)
	}
	return append(b, v.text...)
}

// valueOf returns the value in the text of a message: of a union, that behind the name of the case.
func valueOf(text []byte, name string) []byte {
	const key = `,"value":`
	if name == "" || !bytes.HasPrefix(text, []byte(`{"case":`)) {
		return text
	}
	if i := bytes.Index(text, []byte(key)); i >= 0 {
		return text[i+len(key) : len(text)-1]
	}
	return text
}

// quoteJSON returns a name, which has letters and digits only, in quotes.
func quoteJSON(name string) string { return `"` + name + `"` }

func (p *printer) flush() error { return p.w.Flush() }
