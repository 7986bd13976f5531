package main

import (
	"bytes"
	"os"
	"testing"
)

func TestGenerateReproducesShippedFile(t *testing.T) {
	want, err := os.ReadFile("../orders.csv")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := generate(&got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("generated %d bytes that differ from orders.csv (%d bytes): run go generate ./examples/orders", got.Len(), len(want))
	}
}
