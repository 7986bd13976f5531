package main

import (
	"bufio"
	"fmt"
	"os"
	"sync"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/recording"
)

// recorder writes what all connections bring to a file, from one goroutine. A recording has no
// holes: if the disk is slower than the connections, they wait for it when recordQueue bytes have
// not been written. If it fails, the recording ends there, the program says so, and the connections go
// on.
type recorder struct {
	file     *os.File
	out      *bufio.Writer
	w        *recording.Writer
	complain func(error)
	done     chan struct{} // closed when all is written

	mu     sync.Mutex
	some   sync.Cond // there are entries, or none will come
	room   sync.Cond // there is room for more
	list   []recording.Entry
	size   int // of list and of what is being written, bytes
	closed bool
	err    error // of the first write that has failed
}

const recordQueue = 64 << 20

// add appends an entry, whose data must not be changed.
func (r *recorder) add(e *recording.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.list = append(r.list, *e)
		r.size += len(e.Data)
		r.some.Signal()
	}
}

// wait waits until there is room.
func (r *recorder) wait() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.size > recordQueue && r.err == nil {
		r.room.Wait()
	}
}

// run writes entries until close.
func (r *recorder) run() {
	defer close(r.done)
	var list []recording.Entry
	for {
		r.mu.Lock()
		for len(r.list) == 0 && !r.closed {
			r.some.Wait()
		}
		list, r.list = r.list, list[:0]
		last := r.closed && len(list) == 0
		r.mu.Unlock()
		if last {
			return
		}
		size := 0
		var err error
		for i := range list {
			size += len(list[i].Data)
			if err == nil {
				err = r.w.Write(&list[i])
			}
			list[i] = recording.Entry{}
		}
		if err == nil {
			err = r.out.Flush() // what was seen is in the file, should the program be killed
		}
		r.mu.Lock()
		r.size -= size
		if err != nil {
			r.err = err
			r.list, r.size = nil, 0
		}
		r.room.Broadcast()
		r.mu.Unlock()
		if err != nil {
			r.complain(fmt.Errorf("the recording ends here: %w", err))
			return
		}
	}
}

// close writes the rest, and returns the exit code of a recording that is not whole.
func (r *recorder) close() error {
	r.mu.Lock()
	r.closed = true
	r.some.Signal()
	r.mu.Unlock()
	<-r.done
	err := r.file.Close()
	if r.err != nil {
		return silently(exitFound)
	}
	return err
}
