package series

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

func readAll(text string) ([]Row, error) {
	r := NewWideReader(strings.NewReader(text))
	var rows []Row
	for {
		row, err := r.Next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
}

func TestWideReader(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		want string // id=values, by row
	}{
		"nothing":                       {"", ""},
		"a row":                         {"a,1,2.5,3e2\n", "a=[1 2.5 300]"},
		"no newline at the end":         {"a,1\nb,2", "a=[1] b=[2]"},
		"windows":                       {"\ufeffa,1\r\nb,2\r\n", "a=[1] b=[2]"},
		"quotes":                        {`"V1","V2"` + "\n" + `"H ""1"", x","605", "586" ,` + "\n", `H "1", x=[605 586]`},
		"a newline in quotes":           {"\"a\nb\",1\n", "a\nb=[1]"},
		"unequal lengths":               {"a,1,2,3\nb,4,,\nc,5,6,\n", "a=[1 2 3] b=[4] c=[5 6]"},
		"missing values":                {"a,,1,NA,nan,NULL,,2,,\n", "a=[NaN 1 NaN NaN NaN NaN 2]"},
		"missing at the end, said so":   {"a,1,NA\n", "a=[1 NaN]"},
		"no values":                     {"a\nb,\n", "a=[] b=[]"},
		"empty rows":                    {"\n  \na,1\n\n", "a=[1]"},
		"a header of names":             {"name,one,two\na,1,2\n", "a=[1 2]"},
		"a header of numbers":           {"ID,1,2\na,1,2\n", "a=[1 2]"},
		"a header of one":               {"id\na,1\n", "a=[1]"},
		"no header, for it has a value": {"v,1,2\n", "v=[1 2]"},
		"no id":                         {",1,2\n", "=[1 2]"},
		"minus zero":                    {"a,-0\n", "a=[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, err := readAll(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, row := range rows {
				got = append(got, fmt.Sprintf("%s=%v", row.ID, row.Values))
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("%q, expected %q", s, tt.want)
			}
		})
	}
}

func TestWideReaderRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, says string }{
		"a word":               {"a,1\nb,1,x\n", `row 2, column 3: "x" is not a number`},
		"a word in the first":  {"a,1,x\n", `row 1, column 3: "x" is not a number`},
		"a negative value":     {"a,1\nb,-5\n", "row 2, column 2: -5 is negative"},
		"infinity":             {"a,1\nb,Inf\n", "row 2, column 2: Inf is too large"},
		"beyond a float":       {"a,1\nb,1e999\n", "row 2, column 2: 1e999 is too large"},
		"negative beyond":      {"a,1\nb,-1e999\n", "row 2, column 2: -1e999 is negative"},
		"an open quote":        {"a,1\nb,\"2\n", "row 2, column 2: the quote is never closed"},
		"text after a quote":   {"a,1\n\"b\"c,2\n", "row 2, column 1: expected a comma"},
		"a cell without end":   {"a,1\nb," + strings.Repeat("1", 1000), "row 2, column 2: expected at most 256 bytes"},
		"a row without end":    {"a" + strings.Repeat(",1", MaxValues+1), "row 1, column 200002: expected at most"},
		"a row of empty cells": {"a" + strings.Repeat(",", MaxValues+1) + "1", "expected at most 200000 values"},
		"semicolons":           {"a,1\nb;1;2\nc,1;2\n", `row 3, column 2: "1;2" is not a number`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if rows, err := readAll(tt.text); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v with %d rows, expected %q", err, len(rows), tt.says)
			}
		})
	}
	if _, err := NewWideReader(iotest.ErrReader(io.ErrUnexpectedEOF)).Next(); err == nil ||
		err.Error() != "read row 1: unexpected EOF" {
		t.Error(err)
	}
}

// FuzzWideReader: what is read and written out is read again as it was, and no value is beyond the limits.
func FuzzWideReader(f *testing.F) {
	f.Add("id,1\na,1,,\"2\"\n")
	f.Add("\ufeff\"a\"\"b\",NaN,1e300\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, _ := readAll(text)
		var out strings.Builder
		out.WriteString("id\n")
		for _, row := range rows {
			fmt.Fprintf(&out, `"%s"`, strings.ReplaceAll(row.ID, `"`, `""`))
			for _, v := range row.Values {
				if !math.IsNaN(v) && !(v >= 0 && v <= MaxValue) {
					t.Fatalf("value %g", v)
				}
				out.WriteString("," + strconv.FormatFloat(v, 'g', -1, 64))
			}
			out.WriteString(",\n")
		}
		again, err := readAll(out.String())
		if err != nil && !strings.Contains(err.Error(), "bytes in a cell") {
			t.Fatal(err)
		}
		if err == nil && !slices.EqualFunc(rows, again, func(a, b Row) bool {
			return a.ID == b.ID && fmt.Sprint(a.Values) == fmt.Sprint(b.Values)
		}) {
			t.Fatalf("%v, written and read again %v", rows, again)
		}
	})
}
