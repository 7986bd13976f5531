package python

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// vectors is what docs/wire-vectors.json has of use to a client without a description.
type vectors struct {
	Hellos, Violations []struct {
		Name, Hex, Outcome string
		Cut, Told          bool
	}
	Controls []struct{ Name, Hex, Kind string }
	Ends     []struct{ Said, Heard, Comes, Hex, Sends, Then string }
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	b, err := os.ReadFile("../../docs/wire-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Hellos) < 100 || len(v.Violations) < 40 || len(v.Ends) != 40 {
		t.Fatalf("got %d hellos, %d violations, %d ends", len(v.Hellos), len(v.Violations), len(v.Ends))
	}
	return v
}

// The client takes hellos as docs/wire-vectors.json says.
func TestVectorsHello(t *testing.T) {
	d := newDriver(t)
	for _, v := range readVectors(t).Hellos {
		t.Run(v.Name, func(t *testing.T) {
			peer, said := d.start(t, task{Timeouts: patient})
			peer.ExpectHello()
			peer.Send(v.Hex)
			if v.Cut || v.Outcome == "taken" {
				peer.Conn.(*net.TCPConn).CloseWrite()
			}
			sent, _ := rest(peer)
			peer.Close()
			got := testkit.Result(t, "drive.py", said)
			if want := map[bool]string{true: "connected", false: "Refused: "}[v.Outcome == "taken"]; !strings.HasPrefix(got, want) {
				t.Errorf("got %s, want %s", got, v.Outcome)
			}
			if told := bytes.Contains(sent, []byte("\xa6reason")); told != v.Told {
				t.Errorf("the client sent %q, want a reason: %v", sent, v.Told)
			}
		})
	}
}

// It takes what must not come as docs/wire-vectors.json says. It resets the connection, which an end may, and has no code.
func TestVectorsViolation(t *testing.T) {
	d := newDriver(t)
	for _, v := range readVectors(t).Violations {
		t.Run(v.Name, func(t *testing.T) {
			peer, said := d.start(t, task{Timeouts: patient, Steps: []string{"read", "close"}})
			greet(peer)
			peer.Send(v.Hex)
			if v.Cut {
				peer.Conn.(*net.TCPConn).CloseWrite()
			}
			_, _ = rest(peer)
			got := testkit.Result(t, "drive.py", said)
			after := strings.Contains(v.Name, " after half") || v.Name == "message after goodbye" // read has ended with the half
			want := map[string]string{
				"clean": "connected; read: []", "torn": "connected; read: ConnectionError: ",
				"violation": "connected; read: Violation: ", "too large": "connected; read: Violation: ",
			}[v.Outcome]
			if want == "" || !strings.HasPrefix(got, want) && !after {
				t.Errorf("got %s, want %s", got, v.Outcome)
			}
		})
	}
}

// Each row of the table of docs/wire.md on the end, as far as a client that reads as little as that can tell.
func TestVectorsEnd(t *testing.T) {
	d := newDriver(t)
	for _, v := range readVectors(t).Ends {
		if v.Said == "nothing" && v.Heard != "nothing" {
			continue // the client has ended reading, and reads on to close only
		}
		t.Run(v.Said+", "+v.Heard+", "+v.Comes, func(t *testing.T) {
			steps := map[string][]string{"nothing": {"read", "close"}, "half": {"end", "read", "close"}, "full": {"close"}}[v.Said]
			peer, said := d.start(t, task{Timeouts: patient, Steps: steps})
			greet(peer)
			switch v.Said {
			case "half":
				peer.Expect(half)
			case "full":
				peer.Expect(full)
			}
			heard := map[string]string{"nothing": "", "half": testkit.GoldenHalf, "full": testkit.GoldenFull}[v.Heard]
			if v.Said == "half" && v.Heard == "full" {
				heard = testkit.GoldenHalf + heard
			}
			peer.Send(heard + v.Hex)
			peer.Conn.(*net.TCPConn).CloseWrite()
			sent, _ := rest(peer)
			peer.Close()
			got := testkit.Result(t, "drive.py", said)
			failed := strings.Contains(got, "Violation") || strings.Contains(got, "ConnectionError")
			open := v.Then == "open" && v.Said != "full" // then comes the end without a goodbye
			if want := v.Then == "violation" && v.Heard == "nothing" || v.Then == "torn" || open && v.Comes != "half goodbye"; failed != want {
				t.Errorf("got %s, want %s", got, v.Then)
			}
			if strings.HasPrefix(v.Sends, "confirm") && !bytes.Contains(sent, testkit.Unhex(testkit.GoldenConfirm)) {
				t.Errorf("the client sent % x, want a confirm", sent)
			}
		})
	}
}

// What is legal breaks nothing.
func TestVectorsControl(t *testing.T) {
	d := newDriver(t)
	for _, v := range readVectors(t).Controls {
		switch v.Kind {
		case "heartbeat", "going away", "admitted", "extension":
		default:
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			peer, said := d.start(t, task{Timeouts: patient, Steps: []string{"read", "close"}})
			greet(peer)
			peer.Send(v.Hex + "00000001 61" + full)
			_, _ = rest(peer)
			peer.Close()
			if got := testkit.Result(t, "drive.py", said); !strings.HasPrefix(got, "connected; read: ['a']; ") {
				t.Errorf("got %s, want it to be taken", got)
			}
		})
	}
}
