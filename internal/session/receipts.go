package session

// Receipts counts the messages of the peer. A message has been had when it was read from a
// connection, whether or not it has gone into the queue: it need not be sent again. It has
// been taken when the program has it, which is told to the peer in acks.
//
//	taken ≤ put ≤ had
//
// The queue is a channel, and Go tells nobody when a value is taken from one. So the owner
// says, whenever it looks, how many values are in it.
//
// Its owner guards it.
type Receipts struct {
	keep int // what the peer keeps for us at most, bytes: an ack is due at a quarter

	had   uint64
	taken uint64
	acked uint64 // what the peer has been told of taken
	owed  int    // bytes taken since then
	asked bool   // the peer waits for the next ack
	queue []receipt
	head  int // queue[head:] are in the channel
	bytes int // of those
}

// receipt is what stands for a value in the channel.
type receipt struct {
	messages uint64 // itself, and those behind it that were dropped
	bytes    int
}

// SetKeep says how many bytes of unacknowledged messages the peer holds at most.
func (r *Receipts) SetKeep(keep int) { r.keep = keep }

func (r *Receipts) Had() uint64   { return r.had }
func (r *Receipts) Taken() uint64 { return r.taken }

// Have notes that n messages were read.
func (r *Receipts) Have(n int) { r.had += uint64(n) }

// Put notes that a message whose frame has that many bytes, which was had, was put into the queue. That may be noted
// later, also when it has been taken already: until then the message is not taken.
func (r *Receipts) Put(bytes int) {
	if r.head > len(r.queue)/2 {
		r.queue = append(r.queue[:0], r.queue[r.head:]...)
		r.head = 0
	}
	r.queue = append(r.queue, receipt{1, bytes})
	r.bytes += bytes
}

// Skip notes that a message whose frame has that many bytes was read and dropped: it is had, and taken when all
// before it are. queued is how many values are in the queue.
func (r *Receipts) Skip(bytes, queued int) {
	r.had++
	r.Look(queued)
	if n := len(r.queue); n > r.head {
		last := &r.queue[n-1]
		last.messages++
		last.bytes += bytes
		r.bytes += bytes
		return
	}
	r.taken++
	r.owed += bytes
}

// Queued returns how many values were in the queue when the owner looked, and those put since.
func (r *Receipts) Queued() int { return len(r.queue) - r.head }

// Look notes how many values are in the queue.
func (r *Receipts) Look(queued int) {
	for len(r.queue)-r.head > queued {
		got := r.queue[r.head]
		r.head++
		r.taken += got.messages
		r.owed += got.bytes
		r.bytes -= got.bytes
	}
	if r.head == len(r.queue) {
		r.queue, r.head = r.queue[:0], 0
	}
}

// Due reports whether an ack is to be sent now: a quarter of what the peer keeps has been
// taken since the last one, or anything if the peer waits for it.
func (r *Receipts) Due() bool {
	return r.taken > r.acked && (r.asked || r.owed >= max(r.keep/4, 1))
}

// Owes reports whether an ack will be due without another message: what is in the queue makes it
// so when it is taken. Until then the owner has to look.
func (r *Receipts) Owes() bool {
	return len(r.queue) > r.head && (r.asked || r.owed+r.bytes >= max(r.keep/4, 1))
}

// Unacked reports whether anything was taken that the peer has not been told of.
func (r *Receipts) Unacked() bool { return r.taken > r.acked }

// Pending reports whether there is, or will be without another message, something to tell the peer.
func (r *Receipts) Pending() bool { return r.taken > r.acked || len(r.queue) > r.head }

// Ask notes that the peer waits for an ack: the next one, and if the queue holds more than that tells of,
// the one after it.
func (r *Receipts) Ask() { r.asked = true }

// Ack returns what to tell the peer, which counts as told.
func (r *Receipts) Ack() (taken uint64) {
	r.acked, r.owed = r.taken, 0
	r.asked = r.asked && len(r.queue) > r.head
	return r.taken
}
