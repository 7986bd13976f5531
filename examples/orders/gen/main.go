// Command gen writes orders.csv, the input of the orders example. It writes the
// same bytes every time; its test compares them with the file that is shipped.
//
//	go run ./examples/orders/gen -o examples/orders/orders.csv
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
)

const (
	orders  = 12_000 // good rows
	clients = 3
)

// symbols are traded by the gateway, with the price in cents at which each starts.
var symbols = []struct {
	name string
	mid  int
}{
	{"BARLEY", 18_450}, {"CORN", 21_725}, {"OATS", 24_100}, {"RICE", 33_380}, {"RYE", 19_975}, {"WHEAT", 26_240},
}

// wrong are rows that no reader should take, spread over the file. %d is the
// id that the row would have had.
var wrong = []string{
	"1,%d,CORN,buy,100",                // a field is missing
	"2,%d,RICE,sell,40,333.80,today",   // a field too many
	"7,%d,OATS,buy,25,241.00",          // unknown client
	"3,x%d,RYE,sell,10,199.75",         // id is not a number
	"1,1,WHEAT,buy,10,262.40",          // id of the first order
	"2,%d,,sell,75,217.25",             // no symbol
	"3,%d,CORN,hold,60,217.25",         // unknown side
	"1,%d,BARLEY,buy,-20,184.50",       // negative quantity
	"2,%d,BARLEY,sell,0,184.50",        // zero quantity
	"3,%d,WHEAT,buy,dozen,262.40",      // quantity is not a number
	"1,%d,RYE,sell,30,n/a",             // price is not a number
	"2,%d,RICE,buy,15,0.00",            // zero price
	"3,%d,OATS,sell,45,-241.00",        // negative price
	"1,%d,CORN,buy,35,217.255",         // a third decimal
	"2,%d,\"WHEAT,sell,50,262.40",      // a quote that is not closed
	"3,%d,RYE,sell,99999999999,199.75", // quantity beyond 32 bits
}

func main() {
	name := flag.String("o", "orders.csv", "`file` to write")
	flag.Parse()
	f, err := os.Create(*name)
	if err != nil {
		log.Fatal(err)
	}
	if err := generate(f); err != nil {
		log.Fatal(err)
	}
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}
}

// generate writes the whole file.
func generate(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, "client,id,symbol,side,quantity,price")
	random := source(20)
	mids := make([]int, len(symbols))
	for i, s := range symbols {
		mids[i] = s.mid
	}
	every := orders / (len(wrong) + 1)
	for id := 1; id <= orders; id++ {
		if n := id / every; id%every == 0 && n <= len(wrong) {
			fmt.Fprintln(out, wrongRow(wrong[n-1], orders+n))
		}
		i := random.below(len(symbols))
		symbol, quantity := symbols[i].name, 1+random.below(500)
		mids[i] += random.below(11) - 5
		// Two orders in five are priced to trade at once, the others to wait.
		side, limit := "buy", mids[i]+random.below(250)-150
		if random.below(2) == 1 {
			side, limit = "sell", mids[i]-random.below(250)+150
		}
		switch random.below(400) {
		case 0:
			symbol = "HOPS" // a good row for a symbol that the gateway does not trade
		case 1:
			quantity += 20_000 // a good row that is above the gateway's limit
		}
		fmt.Fprintf(out, "%d,%d,%s,%s,%d,%d.%02d\n", 1+random.below(clients), id, symbol, side, quantity, limit/100, limit%100)
	}
	return out.Flush()
}

// wrongRow puts id into row if it has a place for it.
func wrongRow(row string, id int) string {
	for i := range row {
		if row[i] == '%' {
			return fmt.Sprintf(row, id)
		}
	}
	return row
}

// source is SplitMix64 (Steele, Lea and Flood, 2014): unlike a library's
// generator its sequence is fixed here, so the file is the same with every Go.
type source uint64

func (s *source) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number from 0 to n-1.
func (s *source) below(n int) int {
	return int(s.next() % uint64(n))
}
