package leak

import (
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func TestLeft(t *testing.T) {
	if left := Left(0); left != "" {
		t.Fatalf("in a test: found\n%s", left)
	}
	t.Run("subtest", func(t *testing.T) {
		if left := Left(0); left != "" {
			t.Errorf("found\n%s", left)
		}
	})

	end := make(chan struct{})
	ended := make(chan struct{})
	go lingerUntil(end, ended)
	if Left(0) == "" {
		t.Error("a goroutine that is still there is not found")
	}
	close(end)
	<-ended
	if left := Left(2 * time.Second); left != "" {
		t.Errorf("after its end: found\n%s", left)
	}
}

func lingerUntil(end <-chan struct{}, ended chan<- struct{}) {
	defer close(ended)
	<-end
}
