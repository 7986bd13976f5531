package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/recording"
)

func readRecording(t testing.TB, path string, each func(*recording.Entry)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := recording.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for {
		e, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		each(e)
	}
}

// A recording that cannot be written ends, and says so; the connections go on.
func TestTapRecordingFails(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("needs a disk that is full")
	}
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	var said []string
	var mu sync.Mutex
	r := &recorder{file: f, complain: func(err error) { mu.Lock(); said = append(said, err.Error()); mu.Unlock() }, done: make(chan struct{})}
	r.out = bufio.NewWriterSize(f, 16)
	r.room.L, r.some.L = &r.mu, &r.mu
	r.w, _ = recording.NewWriter(io.Discard, recording.About{}, time.Now())
	w, err := recording.NewWriter(r.out, recording.About{}, time.Now())
	if err == nil {
		r.w = w
	}
	go r.run() // ends with the first write
	r.add(&recording.Entry{Kind: recording.Data, Data: make([]byte, recordQueue+1)})
	r.wait() // is let go when there is nothing to wait for
	r.add(&recording.Entry{Kind: recording.Data})
	if err := r.close(); exitCode(err) != exitFound {
		t.Errorf("got %v, want the exit code 1", err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "the recording ends here") {
		t.Errorf("said %q", said)
	}
}

// slowDisk takes nothing until it is let go.
type slowDisk struct {
	asked, free chan struct{}
	once        sync.Once
	size        atomic.Int64
}

// While the disk does not take what is to be recorded, connections wait; then they go on, and
// everything is there.
func TestTapRecordingIsSlow(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "rec"))
	if err != nil {
		t.Fatal(err)
	}
	disk := &slowDisk{asked: make(chan struct{}), free: make(chan struct{})}
	r := &recorder{file: f, out: bufio.NewWriter(disk), complain: func(err error) { t.Error(err) }, done: make(chan struct{})}
	r.room.L, r.some.L = &r.mu, &r.mu
	if r.w, err = recording.NewWriter(r.out, recording.About{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	go r.run() // ends with close
	r.wait()   // nothing is waiting
	r.add(&recording.Entry{Kind: recording.Data, Data: make([]byte, recordQueue+1)})
	<-disk.asked
	waited := make(chan struct{})
	go func() { r.wait(); close(waited) }() // ends when there is room
	select {
	case <-waited:
		t.Error("a connection went on")
	default:
	}
	close(disk.free)
	<-waited
	if err := r.close(); err != nil || disk.size.Load() <= recordQueue {
		t.Errorf("got %v, and %d bytes are written", err, disk.size.Load())
	}
}

func (d *slowDisk) Write(b []byte) (int, error) {
	d.once.Do(func() { close(d.asked) })
	<-d.free
	d.size.Add(int64(len(b)))
	return len(b), nil
}
