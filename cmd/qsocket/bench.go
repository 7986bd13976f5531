package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/codecbench"
	"github.com/fb9bb4ed/qsocket/internal/schema"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/typed"
	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/value"
)

// benchCommand measures codecs with messages of the user's. Without a description they are what JSON
// says, maps and lists; with one they are structs, as in a program.
type benchCommand struct {
	File  string `arg:"" help:"Messages: lines of JSON, as those of cat. -: the input."`
	Types string `arg:"" optional:"" name:"addr|file" help:"What the messages are: a record, FILE.protocol, or the address of a server. Without it they are taken for maps, lists, text and numbers."`
	peerOptions
}

// Help is what --help adds.
func (c *benchCommand) Help() string {
	return `
It takes a second for each codec, in which the machine should do nothing else, and says so if it did:

  qsocket bench orders.jsonl
  qsocket bench orders.jsonl testdata/orders_1.protocol
  qsocket cat -n 1000 localhost:7070 </dev/null | qsocket bench - localhost:7070
`
}

// maxSamples bounds the messages that are measured.
const maxSamples = 10_000

func (c *benchCommand) Run(p *program) error {
	in, name := p.in, "the input"
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return usage(err)
		}
		defer f.Close()
		in, name = f, c.File
	}
	sample, codecs := plainSample, []qsocket.Codec[any]{qsocket.Msgpack[any](), qsocket.JSON[any]()}
	if c.Types != "" {
		v, err := c.version(p.ctx, c.Types)
		if err != nil {
			return err
		}
		if sample, codecs, err = typedSamples(v); err != nil {
			return usagef("%s: %w", c.Types, err)
		}
	}
	samples, err := readSamples(in, name, sample)
	if err != nil {
		return err
	}
	if !c.JSON {
		fmt.Fprintf(p.out, "%s messages of %s\n\n", thousands(float64(len(samples))), shown(name))
		return usage(codecbench.Compare(p.out, samples, codecs...))
	}
	results, err := codecbench.Measure(samples, codecs...)
	if err != nil {
		return usage(err)
	}
	return printJSON(p.out, results)
}

// readSamples reads a message of each line.
func readSamples(in io.Reader, name string, sample func([]byte) (any, error)) (samples []any, err error) {
	text := newLines(in)
	for len(samples) < maxSamples {
		line, err := text.next()
		if err == io.EOF {
			break
		}
		var v any
		if err == nil {
			v, err = sample(line)
		}
		if err != nil {
			return nil, usagef("%s, line %d: %w", name, text.number, err)
		}
		samples = append(samples, v)
	}
	if len(samples) == 0 {
		return nil, usagef("%s has no message: want a line of JSON for each", name)
	}
	return samples, nil
}

// plainSample is what a program has that decodes JSON into an any, but for integers, which are int64.
func plainSample(line []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("more than one value")
	}
	return numbers(v)
}

// numbers makes an int64 or a float64 of each json.Number in v.
func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err == nil && math.IsInf(f, 0) {
			err = fmt.Errorf("%s is out of range", v)
		}
		return f, err
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = numbers(v[key]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// typedSamples returns what makes messages of lines, and the codecs to measure with them.
func typedSamples(v *version) (func([]byte) (any, error), []qsocket.Codec[any], error) {
	s, err := schema.Parse(v.text)
	if err != nil {
		return nil, nil, err
	}
	types, err := typed.New(s)
	if err != nil {
		return nil, nil, err
	}
	values, err := value.New(s.Codec, s)
	if err != nil {
		return nil, nil, err
	}
	return func(line []byte) (any, error) {
		payload, err := values.Append(nil, line)
		if err != nil {
			return nil, err
		}
		return types.Sample(payload)
	}, types.Codecs(), nil
}
