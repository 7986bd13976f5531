package codecbench

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
)

// compressed returns how many bytes flate makes of a message, in the mean: of each payload by itself, and of
// a stream of all samples, one after the other with the headers of their frames. Codecs with state have
// told their peer before what is told only once.
func (s *subject[T]) compressed() (alone, inStream float64, err error) {
	enc, _, err := s.ends()
	if err != nil {
		return 0, 0, err
	}
	var stream []byte
	total := 0
	for i := range 2 * len(s.samples) {
		frame, err := enc.Append(make([]byte, header), s.samples[i%len(s.samples)])
		if err != nil {
			return 0, 0, s.errorf("encode sample %d: %w", i%len(s.samples), err)
		}
		if i < len(s.samples) {
			continue
		}
		n, err := flateLen(frame[header:])
		if err != nil {
			return 0, 0, s.errorf("compress sample %d: %w", i%len(s.samples), err)
		}
		total += n
		binary.BigEndian.PutUint32(frame, uint32(len(frame)-header))
		stream = append(stream, frame...)
	}
	n, err := flateLen(stream)
	if err != nil {
		return 0, 0, s.errorf("compress a stream: %w", err)
	}
	count := float64(len(s.samples))
	return float64(total) / count, float64(n) / count, nil
}

// flateLen returns the length of data compressed, with the default level.
func flateLen(data []byte) (int, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(data); err != nil {
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	return b.Len(), nil
}
