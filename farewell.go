package qsocket

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// farewell says what the peer is told of the failure err: a code and fixed words, with sizes and
// limits at most. What a codec says, or a panic, may be about this end's inside, or have parts of
// other peers' messages in it.
//
// What was accepted goes before it where only a message of the peer was at fault, or the time it
// took. After bytes that are no frames the peer is not to be trusted with more, and a slow
// consumer has too much already.
func farewell(err error) (link.Farewell, bool) {
	code, words, keep := failureReason(err)
	return link.Farewell{Reason: newReason(code, words), Keep: keep}, code != 0
}

// severity is Warn for what somebody has to mend: ends that do not understand each other, consumers
// that are too slow, messages that were lost. Peers that are gone come and go.
func severity(err error) slog.Level {
	code, _, _ := failureReason(err)
	var remote *RemoteError
	if errors.As(err, &remote) {
		code = remote.Code
	}
	var lost *link.LostError
	switch code {
	case CodeBadMessage, CodeProtocol, CodeTooLarge, CodeSlowConsumer, CodeInternal:
		return slog.LevelWarn
	}
	if errors.As(err, &lost) {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// failureReason is farewell with a code of 0 where there is nothing to tell.
func failureReason(err error) (code Code, words string, keep bool) {
	var codec *CodecError
	var size *wire.SizeError
	var timeout *wire.TimeoutError
	switch {
	case errors.Is(err, ErrSlowConsumer):
		return CodeSlowConsumer, "messages were not taken fast enough", false
	case errors.As(err, &size) && size.Received:
		return CodeTooLarge, fmt.Sprintf("a message of %d bytes, want at most %d", size.Size, size.Limit), false
	case errors.As(err, &codec) && codec.Op == "decode":
		return CodeBadMessage, "a message could not be decoded, or is of an unknown case", true
	case errors.As(err, &codec), errors.Is(err, ErrFrameTooLarge): // which the encoder could not undo
		return CodeInternal, "a message could not be sent, and the next ones depend on it", true
	case errors.Is(err, ErrProtocol):
		return CodeProtocol, "bytes that are no legal frame", false
	case errors.As(err, &timeout):
		return CodeTimeout, fmt.Sprintf("%s of %v has passed", timeout.Name, timeout.After), true
	}
	return 0, "", false
}
