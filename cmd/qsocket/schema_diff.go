package main

import (
	"fmt"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// schemaDiff judges a change as qsockettest.Golden does.
type schemaDiff struct {
	Old string `arg:"" help:"The version that peers run now: the address of a server, or a record."`
	New string `arg:"" help:"The version that is to come: the address of a server, or a record."`
	peerOptions
}

// Help is what --help adds.
func (c *schemaDiff) Help() string {
	return `
May the new version of a client meet the server in production?

  qsocket schema diff prod.test:7070 testdata/orders_1.protocol

The exit code is 1 if anything breaks: values arrive as something else, or not at all. What
loses, or is safe, is listed and no failure. The rules are those of qsockettest.Golden
(docs/schema.md), which is stricter than the handshake.
`
}

// change is one difference, as --json prints it.
type change struct {
	What       string `json:"what"`
	Suspicion  string `json:"suspicion,omitempty"`
	OldReceive string `json:"oldSenderNewReceiver,omitempty"`
	NewReceive string `json:"newSenderOldReceiver,omitempty"`
}

// comparison is what two versions differ in.
type comparison struct {
	Breaks  []change `json:"breaks"`
	Loses   []change `json:"loses"`
	Safe    []change `json:"safe"`
	Refused bool     `json:"refused"` // by the handshake

}

func (c *schemaDiff) Run(p *program) error {
	old, err := c.version(p.ctx, c.Old)
	if err != nil {
		return err
	}
	new, err := c.version(p.ctx, c.New)
	if err != nil {
		return err
	}
	result, err := compare(old, new)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(p.out, result); err != nil {
			return err
		}
	} else {
		result.print(p)
	}
	if len(result.Breaks) > 0 {
		return silently(exitFound)
	}
	return nil
}

// compare compares two versions.
func compare(old, new *version) (*comparison, error) {
	was, err := schema.Parse(old.text)
	if err != nil {
		return nil, fmt.Errorf("the old version's description is not understood: %w", err)
	}
	is, err := schema.Parse(new.text)
	if err != nil {
		return nil, fmt.Errorf("the new version's description is not understood: %w", err)
	}
	r := &comparison{Breaks: []change{}, Loses: []change{}, Safe: []change{}}
	lists := map[schema.Verdict]*[]change{schema.Breaks: &r.Breaks, schema.Loses: &r.Loses, schema.Safe: &r.Safe}
	if old.known && new.known && old.name != new.name {
		c := change{
			What:       fmt.Sprintf("protocol was %s and is %s now", quoted(old.name), quoted(new.name)),
			OldReceive: "they refuse each other",
			NewReceive: "they refuse each other",
		}
		r.Breaks, r.Refused = append(r.Breaks, c), true
	}
	diffs := schema.CompareRecord(is, was)
	for _, d := range diffs {
		list := lists[d.Verdict()]
		*list = append(*list, change{d.What(), d.Suspicion(), d.NewReadsOld(), d.OldReadsNew()})
	}
	for _, d := range schema.Compare(is, was) {
		r.Refused = r.Refused || d.Breaking
	}
	return r, nil
}

// print prints the differences under Golden's headings.
func (r *comparison) print(p *program) {
	color := p.colors()
	for _, under := range []struct {
		heading string
		paint   func(string) string
		list    []change
	}{
		{schema.Breaks.String(), color.red, r.Breaks},
		{schema.Loses.String(), color.yellow, r.Loses},
		{schema.Safe.String(), color.green, r.Safe},
	} {
		if len(under.list) == 0 {
			continue
		}
		fmt.Fprintf(p.out, "%s:\n", under.paint(under.heading))
		for _, c := range under.list {
			fmt.Fprintf(p.out, "  %s\n", c.What)
			if c.Suspicion != "" {
				fmt.Fprintf(p.out, "    %s\n", c.Suspicion)
			}
			if c.OldReceive != "" {
				fmt.Fprintf(p.out, "    old sender, new receiver: %s\n    new sender, old receiver: %s\n", c.OldReceive, c.NewReceive)
			}
		}
		fmt.Fprintln(p.out)
	}
	switch {
	case len(r.Breaks)+len(r.Loses)+len(r.Safe) == 0:
		fmt.Fprintln(p.out, "No difference on the wire.")
	case r.Refused:
		fmt.Fprintln(p.out, "Peers of the two versions refuse each other in the handshake.")
	default:
		fmt.Fprintln(p.out, "Peers of the two versions let each other in.")
	}
}
