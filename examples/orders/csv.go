package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/fb9bb4ed/qsocket/examples/orders/market"
)

// clients is the number of clients that the records of a file are divided among.
const clients = 3

const header = "client,id,symbol,side,quantity,price"

// orderFile is the content of a CSV file.
type orderFile struct {
	orders  [clients][]market.Order // by client, in the order of the file
	skipped []rowError
}

// total returns the number of good rows.
func (f *orderFile) total() int {
	n := 0
	for _, orders := range f.orders {
		n += len(orders)
	}
	return n
}

// rowError says why a row was skipped.
type rowError struct {
	line int // of the file, counted from 1
	err  error
}

func (e rowError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }

// readOrders reads a CSV file with the columns of header. A wrong row is noted
// and skipped; only a file that cannot be read, or is of another kind, is an
// error.
//
// Every line is a record of its own. encoding/csv allows a quoted field to
// contain line ends, so given the whole file it would read on after a quote
// that is not closed and take all that follows for one wrong row.
func readOrders(r io.Reader) (*orderFile, error) {
	f := new(orderFile)
	seen := make(map[uint64]int) // order id → line
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if n == 1 {
			if line = strings.TrimPrefix(line, "\ufeff"); line != header {
				return nil, fmt.Errorf("first line is %.60q, want %q", line, header)
			}
			continue
		}
		if line == "" {
			continue
		}
		client, order, err := parseRow(line)
		if first := seen[order.ID]; err == nil && first > 0 {
			err = fmt.Errorf("id %d again, first on line %d", order.ID, first)
		}
		if err != nil {
			f.skipped = append(f.skipped, rowError{n, err})
			continue
		}
		seen[order.ID] = n
		f.orders[client-1] = append(f.orders[client-1], order)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if f.total() == 0 {
		return nil, fmt.Errorf("no orders, %d rows skipped", len(f.skipped))
	}
	return f, nil
}

// parseRow reads one record. client counts from 1.
func parseRow(line string) (client int, o market.Order, err error) {
	fields, err := csv.NewReader(strings.NewReader(line)).Read()
	if err != nil {
		var parse *csv.ParseError
		if errors.As(err, &parse) {
			err = parse.Err // its line number is always 1 here
		}
		return 0, o, err
	}
	if want := strings.Count(header, ",") + 1; len(fields) != want {
		return 0, o, fmt.Errorf("%d fields, want %d", len(fields), want)
	}
	client, err = strconv.Atoi(fields[0])
	if err != nil || client < 1 || client > clients {
		return 0, o, fmt.Errorf("client %q, want 1 to %d", fields[0], clients)
	}
	if o.ID, err = strconv.ParseUint(fields[1], 10, 64); err != nil {
		return 0, o, fmt.Errorf("id %q, want a whole number", fields[1])
	}
	if o.Symbol = fields[2]; o.Symbol == "" {
		return 0, o, errors.New("no symbol")
	}
	if o.Side, err = market.ParseSide(fields[3]); err != nil {
		return 0, o, err
	}
	o.Quantity, err = strconv.ParseInt(fields[4], 10, 32)
	if err != nil || o.Quantity < 1 {
		return 0, o, fmt.Errorf("quantity %q, want a whole number from 1 to %d", fields[4], 1<<31-1)
	}
	if o.Limit, err = market.ParseCents(fields[5]); err != nil {
		return 0, o, err
	}
	if o.Limit <= 0 {
		return 0, o, fmt.Errorf("price %s, want more than 0", fields[5])
	}
	return client, o, nil
}
