package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"time"

	"github.com/fb9bb4ed/qsocket/bench/codecs"
	"github.com/fb9bb4ed/qsocket/tests/shapes"
)

// shapeOptions are what the command line says of -shapes.
type shapeOptions struct {
	match  *regexp.Regexp // names of shapes
	rounds int
	target time.Duration // of a run, of processor time
	files  string        // directory of documents, or ""
	out    string
}

// shapeResults is what shapes.json has.
type shapeResults struct {
	Machine machine
	Rounds  int
	RunTime string
	Rows    []shapeRow
}

// A shapeRow is what is known of a shape. Ratios are medians of those of the rounds; below 1, ours is faster.
type shapeRow struct {
	Shape  string
	Kind   shapes.Kind
	Bytes  int
	Encode shapeCell
	Decode shapeCell
}

// A shapeCell is one direction: by qsocket, and by others.
type shapeCell struct {
	Nanos, V5Nanos       float64 // of processor time for one message, medians
	Allocs, V5Allocs     float64
	Ratio                float64 // to v5
	MsgpNanos, MsgpRatio float64 `json:",omitempty"` // to code that msgp generates, where there is some
}

// runShapes measures all shapes, prints a table, and writes shapes.json, shapes.md and shapes.svg.
func runShapes(o shapeOptions, stdout, stderr io.Writer) error {
	all := shapes.All()
	if o.files != "" {
		files, err := shapes.Files(o.files)
		if err != nil {
			return err
		}
		all = append(all, files...)
	}
	all = slices.DeleteFunc(all, func(s shapes.Shape) bool { return !o.match.MatchString(s.Name) })
	if len(all) == 0 {
		return errors.New("no shape matches -run")
	}
	var runs []*shapeRun
	for _, s := range all {
		r, err := newShapeRun(s, o.target)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		runs = append(runs, r)
	}
	bar := newBar(o.rounds*len(runs), stderr)
	for round := range o.rounds {
		runtime.GC()
		for _, r := range runs {
			bar.Describe(r.shape.Name)
			if err := r.measure(round); err != nil {
				return fmt.Errorf("%s: %w", r.shape.Name, err)
			}
			bar.Add(1) // fails only beyond the end
		}
	}
	bar.Finish()
	res := &shapeResults{Machine: thisMachine(), Rounds: o.rounds, RunTime: o.target.String()}
	for _, r := range runs {
		res.Rows = append(res.Rows, r.row())
	}
	return res.publish(o.out, stdout)
}

// A shapeRun is a shape while it is measured.
type shapeRun struct {
	shape          shapes.Shape
	payload        []byte // ours
	encode, decode []*shapeSubject
}

// A shapeSubject is one coder in one direction.
type shapeSubject struct {
	do     func(n int) error
	n      int // in a round
	nanos  []float64
	allocs float64
}

func newShapeRun(s shapes.Shape, target time.Duration) (*shapeRun, error) {
	own, err := s.Own.Encode(1)
	if err != nil {
		return nil, err
	}
	r := &shapeRun{shape: s, payload: slices.Clone(own)}
	coders := []shapes.Coder{s.Own, s.V5}
	if c, ok, err := codecs.MsgpShape(s); err != nil {
		return nil, err
	} else if ok {
		coders = append(coders, c)
	}
	for _, c := range coders {
		encode := &shapeSubject{do: func(n int) error { _, err := c.Encode(n); return err }}
		decode := &shapeSubject{do: func(n int) error { _, err := c.Decode(r.payload, n); return err }}
		for _, s := range []*shapeSubject{encode, decode} {
			if err := s.calibrate(target); err != nil {
				return nil, err
			}
		}
		r.encode, r.decode = append(r.encode, encode), append(r.decode, decode)
	}
	return r, nil
}

// calibrate finds out how often to do it in a round, and how many allocations one takes.
func (s *shapeSubject) calibrate(target time.Duration) error {
	for s.n = 1; ; s.n *= 2 {
		took := time.Duration(math.MaxInt64)
		for range 3 { // the collector may have been busy, or the machine
			start := cpuTime()
			if err := s.do(s.n); err != nil {
				return err
			}
			if took = min(took, cpuTime()-start); took < target/4 {
				break
			}
		}
		if took > target/4 || s.n > 1<<24 {
			s.n = max(1, int(float64(s.n)*float64(target)/float64(max(took, 1))))
			break
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := s.do(s.n)
	runtime.ReadMemStats(&after)
	s.allocs = float64(after.Mallocs-before.Mallocs) / float64(s.n)
	return err
}

// measure takes the time of each subject once, in an order that changes: what comes first meets
// other garbage.
func (r *shapeRun) measure(round int) error {
	for _, subjects := range [][]*shapeSubject{r.encode, r.decode} {
		for i := range subjects {
			s := subjects[(i+round)%len(subjects)]
			start := cpuTime()
			if err := s.do(s.n); err != nil {
				return err
			}
			s.nanos = append(s.nanos, float64(max(1, cpuTime()-start))/float64(s.n))
		}
	}
	return nil
}

func (r *shapeRun) row() shapeRow {
	return shapeRow{Shape: r.shape.Name, Kind: r.shape.Kind, Bytes: len(r.payload), Encode: newShapeCell(r.encode), Decode: newShapeCell(r.decode)}
}

func newShapeCell(subjects []*shapeSubject) shapeCell {
	own, v5 := subjects[0], subjects[1]
	c := shapeCell{
		Nanos: median(own.nanos), V5Nanos: median(v5.nanos), Allocs: own.allocs, V5Allocs: v5.allocs,
		Ratio: ratio(own.nanos, v5.nanos),
	}
	if len(subjects) > 2 {
		c.MsgpNanos, c.MsgpRatio = median(subjects[2].nanos), ratio(own.nanos, subjects[2].nanos)
	}
	return c
}

// ratio returns the median of the ratios of each round.
func ratio(a, b []float64) float64 {
	each := make([]float64, len(a))
	for i := range a {
		each[i] = a[i] / b[i]
	}
	return median(each)
}

func (res *shapeResults) publish(dir string, stdout io.Writer) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	data, err := json.MarshalIndent(res, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "shapes.json"), append(data, '\n'), 0o666); err != nil {
		return err
	}
	if err := res.chart().write(filepath.Join(dir, "shapes.svg")); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "shapes.md"), []byte(res.report()), 0o666); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s\n%s\nwritten to %s\n", res.table(), res.summary(), dir)
	return err
}

// worst returns the rows, those with the largest ratio in either direction first.
func (res *shapeResults) worst() []shapeRow {
	return slices.SortedStableFunc(slices.Values(res.Rows), func(a, b shapeRow) int {
		return cmp.Compare(max(b.Encode.Ratio, b.Decode.Ratio), max(a.Encode.Ratio, a.Decode.Ratio))
	})
}
