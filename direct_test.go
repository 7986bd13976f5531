package qsocket_test

import (
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// What Send promises holds on all its paths to the socket: the flusher, the
// direct write, and the direct write in place of a flusher that has been started.
func TestSendPaths(t *testing.T) {
	for _, path := range []string{"direct", "flusher", "takeover"} {
		for _, test := range []struct {
			name string
			run  func(*testing.T)
		}{
			{"order", TestOrderOfConcurrentSenders},
			{"refusal", TestSendRefusedByContext},
			{"cancellations", TestFault13RandomCancellations},
			{"bound", TestSendBufferIsTheBound},
			{"inbound after a failed write", TestFault18InboundSurvivesFailedWrite},
			{"write timeout", TestWriteTimeout},
			{"flush", TestFlush},
			{"close", TestFault16CloseWhileFlooding},
			{"close timeout", TestCloseTimeout},
			{"both close", TestBothClose},
			{"shutdown", TestFault15Shutdown},
			{"failure", TestDoneOfSender},
			{"broken encoder", TestBrokenEncoderStopsAllSenders},
		} {
			t.Run(path+"/"+test.name, func(t *testing.T) {
				qsocket.ForceSendPath(t, path)
				test.run(t)
			})
		}
	}
}
