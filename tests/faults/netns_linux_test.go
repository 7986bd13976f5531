package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// blackHoleNamespace puts the peer into a network namespace of its own, at the
// other end of a virtual cable, and takes the cable away.
func blackHoleNamespace(t *testing.T) {
	if words, ok := isChild(t); ok {
		namespacePeer(t, words[0])
		return
	}
	ip, err := exec.LookPath("ip")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and the command ip")
	}
	id := fmt.Sprint(os.Getpid() % 100_000)
	space, here, there, net := "qsfault"+id, "qsfa"+id, "qsfb"+id, fmt.Sprintf("198.18.%d.", os.Getpid()%250)
	run := func(command string) error {
		if out, err := exec.Command(ip, strings.Fields(command)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", command, err, out)
		}
		return nil
	}
	t.Cleanup(func() {
		_ = run("link del " + here)
		_ = run("netns del " + space)
	})
	for _, command := range []string{
		"netns add " + space,
		"link add " + here + " type veth peer name " + there + " netns " + space,
		"addr add " + net + "1/24 dev " + here,
		"link set " + here + " up",
		"-n " + space + " addr add " + net + "2/24 dev " + there,
		"-n " + space + " link set " + there + " up",
	} {
		if err := run(command); err != nil {
			t.Skip("no network namespace:", err)
		}
	}

	const beat = time.Second
	ctx := testkit.Context(t)
	ln, err := qsocket.Listen("tcp", net+"1:0", testkit.Named, &qsocket.Options{Heartbeat: beat})
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.EndListener(ln)
	child := childCommand(t, nil, ln.Addr().String())
	child.Args = append([]string{ip, "netns", "exec", space}, child.Args...)
	child.Path = ip
	var out strings.Builder
	child.Stdout, child.Stderr = &out, &out
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	gone := testkit.Async(child.Wait)
	c, err := ln.Accept(ctx)
	if err != nil {
		t.Fatalf("%v; the peer: %s", err, out.String())
	}
	if _, err := c.Recv(ctx); err != nil {
		t.Fatal(err)
	}
	if err := run("link set " + here + " down"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = c.Recv(ctx)
	took := time.Since(start)
	if !errors.Is(err, qsocket.ErrPeerDead) {
		t.Errorf("got %v after %v, want ErrPeerDead", err, took)
	}
	if err := testkit.Result(t, "the peer's process", gone); err != nil {
		t.Errorf("the peer: %v\n%s", err, out.String())
	}
	t.Logf("a link that was taken down was found after %v, with a heartbeat of %v", round(took), beat)
	// Without heartbeats TCP would take 15 minutes or more; the bubble has the exact time.
	if took > 4*2*beat {
		t.Errorf("found after %v, want about %v", took, 2*beat)
	}
}

// namespacePeer is the other end.
func namespacePeer(t *testing.T, addr string) {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Timeout)
	defer cancel()
	c, err := qsocket.Dial(ctx, "tcp", addr, testkit.Named, &qsocket.Options{Heartbeat: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(c)
	if err := c.Send(ctx, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Recv(ctx); !errors.Is(err, qsocket.ErrPeerDead) {
		t.Errorf("got %v, want ErrPeerDead", err)
	}
}
