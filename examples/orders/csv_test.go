package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/examples/orders/market"
	"github.com/google/go-cmp/cmp"
)

func TestReadOrdersSkipsWrongRows(t *testing.T) {
	for _, tt := range []struct{ name, row, want string }{
		{"field missing", "1,5,CORN,buy,100", "5 fields, want 6"},
		{"field too many", "1,5,CORN,buy,100,1.00,x", "7 fields, want 6"},
		{"unknown client", "4,5,CORN,buy,100,1.00", `client "4", want 1 to 3`},
		{"client zero", "0,5,CORN,buy,100,1.00", `client "0", want 1 to 3`},
		{"id not a number", "1,five,CORN,buy,100,1.00", `id "five", want a whole number`},
		{"id twice", "2,1,CORN,buy,100,1.00", "id 1 again, first on line 2"},
		{"no symbol", "1,5,,buy,100,1.00", "no symbol"},
		{"unknown side", "1,5,CORN,BUY,100,1.00", `side "BUY", want buy or sell`},
		{"negative quantity", "1,5,CORN,buy,-1,1.00", `quantity "-1", want a whole number from 1 to 2147483647`},
		{"zero quantity", "1,5,CORN,buy,0,1.00", `quantity "0", want a whole number from 1 to 2147483647`},
		{"huge quantity", "1,5,CORN,buy,2147483648,1.00", `quantity "2147483648", want a whole number from 1 to 2147483647`},
		{"fraction of a quantity", "1,5,CORN,buy,1.5,1.00", `quantity "1.5", want a whole number from 1 to 2147483647`},
		{"price not a number", "1,5,CORN,buy,1,n/a", `price "n/a", want a number such as 101.50`},
		{"no price", "1,5,CORN,buy,1,", `price "", want a number such as 101.50`},
		{"price with two points", "1,5,CORN,buy,1,1.2.3", `price "1.2.3", want at most two decimals`},
		{"price of signs", "1,5,CORN,buy,1,--1", `price "--1", want a number such as 101.50`},
		{"sign among decimals", "1,5,CORN,buy,1,1.-5", `price "1.-5", want a number such as 101.50`},
		{"infinite price", "1,5,CORN,buy,1,Inf", `price "Inf", want a number such as 101.50`},
		{"huge price", "1,5,CORN,buy,1,9999999999999999", `price "9999999999999999", want a number such as 101.50`},
		{"third decimal", "1,5,CORN,buy,1,1.005", `price "1.005", want at most two decimals`},
		{"zero price", "1,5,CORN,buy,1,0.00", "price 0.00, want more than 0"},
		{"negative price", "1,5,CORN,buy,1,-0.01", "price -0.01, want more than 0"},
		{"open quote", `1,5,"CORN,buy,1,1.00`, `extraneous or missing " in quoted-field`},
		{"stray quote", `1,5,CO"RN,buy,1,1.00`, `bare " in non-quoted-field`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := header + "\n1,1,CORN,buy,10,1.00\n" + tt.row + "\n3,2,RYE,sell,20,2.5\n"
			f, err := readOrders(strings.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			if len(f.skipped) != 1 {
				t.Fatalf("got %d rows skipped, want 1: %v", len(f.skipped), f.skipped)
			}
			if got, want := f.skipped[0].Error(), "line 3: "+tt.want; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			want := [clients][]market.Order{
				{{ID: 1, Symbol: "CORN", Side: market.Buy, Quantity: 10, Limit: 100}},
				nil,
				{{ID: 2, Symbol: "RYE", Side: market.Sell, Quantity: 20, Limit: 250}},
			}
			if diff := cmp.Diff(want, f.orders); diff != "" {
				t.Errorf("orders around it (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadOrdersTakesWhatSpreadsheetsWrite(t *testing.T) {
	f, err := readOrders(strings.NewReader("\ufeff" + header + "\r\n\"1\",\"7\",\"CORN\",\"sell\",\"3\",\"12\"\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []market.Order{{ID: 7, Symbol: "CORN", Side: market.Sell, Quantity: 3, Limit: 1200}}
	if diff := cmp.Diff(want, f.orders[0]); diff != "" || len(f.skipped) > 0 {
		t.Errorf("skipped %v, orders (-want +got):\n%s", f.skipped, diff)
	}
}

func TestReadOrdersRefusesOtherFiles(t *testing.T) {
	for _, tt := range []struct{ name, file string }{
		{"empty", ""},
		{"other header", "id,price\n1,2\n"},
		{"header only", header + "\n"},
		{"wrong rows only", header + "\n1,2\n"},
		{"line without end", header + "\n" + strings.Repeat("x", 1<<20)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if f, err := readOrders(strings.NewReader(tt.file)); err == nil {
				t.Errorf("got %d orders, want an error", f.total())
			}
		})
	}
}

func TestShippedFile(t *testing.T) {
	f, err := readOrders(bytes.NewReader(shipped))
	if err != nil {
		t.Fatal(err)
	}
	if f.total() < 10_000 || len(f.skipped) < 12 {
		t.Errorf("got %d orders and %d wrong rows, want 10000 and 12 or more", f.total(), len(f.skipped))
	}
	for i, orders := range f.orders {
		if len(orders) == 0 {
			t.Errorf("no orders for client %d", i+1)
		}
	}
}
