package codecbench

import (
	"errors"
	"fmt"

	"github.com/fb9bb4ed/qsocket"
)

// header is the length of the frame header that a Protocol has by default. It
// is also the room left before each payload here, as a Conn does.
const header = 4

// A subject is one codec with the samples that it is measured with.
type subject[T any] struct {
	codec     qsocket.Codec[T]
	stateless bool
	samples   []T

	first   int     // bytes of the first frame of a connection
	mean    float64 // bytes of a frame in the steady state
	changed string  // how the first sample that did came back different; "" if none did
}

// newSubjects checks what the user gave, without running a codec.
func newSubjects[T any](samples []T, codecs []qsocket.Codec[T]) ([]*subject[T], error) {
	if len(samples) == 0 {
		return nil, errors.New("codecbench: no samples, want at least one message to measure with")
	}
	if len(codecs) == 0 {
		return nil, errors.New("codecbench: no codecs, want at least one to measure")
	}
	var all []*subject[T]
	number := make(map[string]int)
	for i, codec := range codecs {
		if codec == nil {
			return nil, fmt.Errorf("codecbench: codec %d of %d is nil", i+1, len(codecs))
		}
		s := &subject[T]{codec: codec, stateless: isStateless(codec), samples: samples}
		label := s.label()
		if label == "" {
			return nil, fmt.Errorf("codecbench: codec %d of %d has an empty name; give it one with Named", i+1, len(codecs))
		}
		if other, ok := number[label]; ok {
			return nil, fmt.Errorf("codecbench: codecs %d and %d are both named %q; tell them apart with Named", other, i+1, label)
		}
		number[label] = i + 1
		all = append(all, s)
	}
	return all, nil
}

// label is the codec's name as it can stand in the name of a benchmark: a slash
// would begin another key there, and a space end the name.
func (s *subject[T]) label() string {
	label := []rune(s.codec.Name())
	for i, r := range label {
		if r == '/' || r <= ' ' {
			label[i] = '_'
		}
	}
	return string(label)
}

// check sends the samples twice through an encoder and a decoder, as over one
// connection: the codec must work before it is worth measuring. The first time
// tells what comes back different, the second what the messages take on the wire
// once nothing needs to be sent that peers are told only once.
func (s *subject[T]) check() error {
	enc, dec, err := s.ends()
	if err != nil {
		return err
	}
	var frames int
	buf := make([]byte, header)
	for i := range 2 * len(s.samples) {
		sample := s.samples[i%len(s.samples)]
		buf, err = enc.Append(buf[:header], sample)
		if err == nil && len(buf) < header {
			err = fmt.Errorf("result of Append has %d bytes, fewer than it was to append to", len(buf))
		}
		if err != nil {
			return s.errorf("encode sample %d: %w", i%len(s.samples), err)
		}
		got, err := dec.Decode(buf[header:])
		if err != nil {
			return s.errorf("decode sample %d: %w", i%len(s.samples), err)
		}

		if i == 0 {
			s.first = len(buf)
		}
		if i >= len(s.samples) {
			frames += len(buf)
		} else if s.changed == "" {
			if d := difference(sample, got); d != "" {
				s.changed = fmt.Sprintf("sample %d: %s", i, d)
			}
		}
	}
	s.mean = float64(frames) / float64(len(s.samples))
	return nil
}

// ends returns an encoder and a decoder that nothing has gone through.
func (s *subject[T]) ends() (qsocket.Encoder[T], qsocket.Decoder[T], error) {
	enc, dec := s.codec.NewEncoder(), s.codec.NewDecoder()
	if enc == nil || dec == nil {
		return nil, nil, s.errorf("new encoder or decoder is nil")
	}
	return enc, dec, nil
}

// errorf returns an error that says whose it is.
func (s *subject[T]) errorf(format string, args ...any) error {
	return fmt.Errorf("codecbench: codec %s: "+format, append([]any{s.codec.Name()}, args...)...)
}

// next returns the sample after sample i, counted in a circle.
func (s *subject[T]) next(i int) int {
	if i++; i < len(s.samples) {
		return i
	}
	return 0
}
