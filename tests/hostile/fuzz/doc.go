// Package fuzz has the fuzz targets of everything that reads bytes of a peer, and
// their corpora. It is apart from the other tests so that it compiles quickly with
// the instrumentation that fuzzing needs:
//
//	go test -run - -fuzz FuzzControl -fuzztime 60s ./tests/hostile/fuzz
package fuzz
