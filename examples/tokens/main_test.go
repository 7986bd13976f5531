package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

func TestRun(t *testing.T) {
	t.Setenv("TOKEN", "")
	var out bytes.Buffer
	if err := run(&out); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"a guess: refused for good: no valid token",
		"the old token: hello, seven",
		"the old token, while both are valid: hello, seven",
		"the new token, while both are valid: hello, seven",
		"the connection of the old token: qsocket: closed by peer: refused: the token has been revoked",
		"the connection of the new token: still here, seven",
		"",
	}, "\n")
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A client does not become somebody by saying so, and the token is not kept.
func TestAdmit(t *testing.T) {
	g := &guard{users: map[string]string{keyOf("one"): "seven", keyOf("two"): "eight"}}
	for token, want := range map[string]string{"one": "seven", "two": "eight", "": "", "on": "", "three": ""} {
		attributes := map[string]string{tokenAttribute: token, userAttribute: "root", keyAttribute: keyOf("one")}
		err := g.admit(context.Background(), qsocket.Peer{}, attributes, nil)
		if (err == nil) != (want != "") || attributes[userAttribute] != want || attributes[tokenAttribute] != "" {
			t.Errorf("%q: got %v and %v, want %q", token, err, attributes, want)
		}
	}
}

// A file that cannot be understood changes nothing.
func TestLoad(t *testing.T) {
	g := &guard{users: map[string]string{keyOf("one"): "seven"}}
	path := filepath.Join(t.TempDir(), "valid")
	for _, text := range []string{"one seven", keyOf("one"), keyOf("one")[2:] + " seven"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := g.load(path); err == nil || strings.Contains(err.Error(), "seven") {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if err := g.load(path + "x"); err == nil || len(g.users) != 1 {
		t.Errorf("got %v, %v", err, g.users)
	}
}

func TestTokenFrom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine")
	if err := os.WriteFile(path, []byte("of the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for env, want := range map[string]string{"": "of the file", "of the environment": "of the environment"} {
		t.Setenv("TOKEN", env)
		if got, err := tokenFrom(path)(context.Background()); got[tokenAttribute] != want || err != nil {
			t.Errorf("got %v, %v, want %q", got, err, want)
		}
	}
	t.Setenv("TOKEN", "")
	if _, err := tokenFrom(path + "x")(context.Background()); err == nil {
		t.Error("no error without a token")
	}
}
