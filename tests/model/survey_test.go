package model

import (
	"flag"
	"fmt"
	"sort"
	"strings"
	"testing"
)

var survey = flag.Int("model.survey", 0, "run so many programs, and print for each promise that is not always kept how often, and the shortest program")

var surveyFrom = flag.Int("model.from", 0, "the first seed of the survey")

// TestSurvey does not stop at the first failure, as TestModel does.
func TestSurvey(t *testing.T) {
	if *survey == 0 {
		t.Skip("-model.survey is not set")
	}
	type finding struct {
		count int
		text  string
	}
	findings := map[string]*finding{}
	add := func(name, text string) {
		f := findings[name]
		if f == nil {
			f = &finding{text: text}
			findings[name] = f
		}
		f.count++
		if len(text) < len(f.text) {
			f.text = text
		}
	}
	quiet := 0
	for i := range *survey {
		p := programs.Example(*surveyFrom + i)
		h, err := attempt(t, &p, sabotage{})
		if err != nil {
			add("bubble", fmt.Sprintf("%v\nexample %d: %v", err, *surveyFrom+i, &p))
			continue
		}
		for _, b := range h.judge() {
			add(b.promise.name, fmt.Sprintf("%v\nexample %d: %v%v", b, *surveyFrom+i, &p, h))
		}
		if h.quiet() {
			quiet++
		}
	}
	var names []string
	for name := range findings {
		names = append(names, name)
	}
	sort.Strings(names)
	t.Logf("%d programs, of which %d quiet; not kept: %s", *survey, quiet, strings.Join(names, ", "))
	for _, name := range names {
		t.Errorf("%s: %d times; for example\n%s", name, findings[name].count, findings[name].text)
	}
}
