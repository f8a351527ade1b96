package config

import (
	"strings"
	"testing"
)

func TestURLsOfPostgreSQL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		url string

		// want is "user password target"; what begins with ! is a part of the error instead.
		want string
	}{
		{"postgres://u:p@h:1/d", "u p postgres://h:1/d"},
		{"postgresql://u@h/d", "u - postgres://h:5432/d"},
		{"postgres://h", "- - postgres://h:5432/"},
		{"postgres://[::1]:6000/d", "- - postgres://[::1]:6000/d"},
		{"postgres://u%40x:p%2F%40%3A%23@h/d%2Fe", "u@x p/@:# postgres://h:5432/d/e"},
		{"postgres://u@/d?host=/run/pg", "u - postgres:///d?host=%2Frun%2Fpg&port=5432"},
		{"postgres:///d?host=/run/pg&port=6000", "- - postgres:///d?host=%2Frun%2Fpg&port=6000"},
		{"postgres://?host=h&port=1&dbname=d&user=u&password=p", "u p postgres://h:1/d"},
		{"postgres://h/d?", "- - postgres://h:5432/d"},

		{"", "!postgres://"},
		{"h:5432/d", "!postgres://"},
		{"host=h dbname=d", "!postgres://"},
		{"http://h/d", "!does not begin with postgres://"},
		{"postgres:h", "!postgres://"},
		{"postgres:///d", "!names no host"},
		{"postgres://u:p@/d", "!names no host"},
		{"postgres://a,b/d", "!several hosts"},
		{"postgres://a:1,b:2/d", "!several hosts"},
		{"postgres://h:0/d", "!impossible port"},
		{"postgres://h:x/d", "!is not a URL"},
		{"postgres://h/d#x", "!has a #"},
		{"postgres://h/d/e", "!written %2F"},
		{"postgres://h/d%00e", "!control character"},
		{"postgres://u%0a@h/d", "!control character"},
		{"postgres://h/d\n", "!control character"},
		{"postgres://" + strings.Repeat("h", 2000), "!longer than 1024"},
		{"postgres://h/d?host=i", "!host is given twice"},
		{"postgres://h/d?dbname=e", "!dbname is given twice"},
		{"postgres://h:1/d?port=2", "!port is given twice"},
		{"postgres://h/d?sslmode=require&sslmode=disable", "!sslmode twice"},
		{"postgres://h/d?sslmode=strong", "!sslmode is not known"},
		{"postgres://h/d?connect_timeout=5s", "!not a number of seconds"},
		{"postgres://h/d?connect_timeout=-1", "!not a number of seconds"},
		{"postgres://h/d?target_session_attrs=any", `!unknown parameter "target_session_attrs"`},
		{"postgres://h/d?sslmode=%zz", "!cannot be read"},
	}
	for _, test := range tests {
		p := &Pool{explicit: map[string]bool{}}
		err := p.applyURL(test.url)
		if wantError, ok := strings.CutPrefix(test.want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), wantError) {
				t.Errorf("%.80s: got error %v, want %s", test.url, err, wantError)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.url, err)
			continue
		}
		orDash := func(s string) string {
			if s == "" {
				return "-"
			}
			return s
		}
		got := orDash(p.User) + " " + orDash(string(p.Password)) + " " + (target{p}).text()
		if got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.url, got, test.want)
		}
	}
}

func TestTheParametersOfAURLAreOptionsOfThePool(t *testing.T) {
	t.Parallel()
	p := &Pool{explicit: map[string]bool{}}
	err := p.applyURL("postgres://h/d?sslmode=verify-full&sslnegotiation=direct&sslrootcert=system&sslcert=c" +
		"&sslkey=k&application_name=a&options=-c+work_mem%3D1MB&connect_timeout=0")
	if err != nil {
		t.Fatal(err)
	}
	want := ServerTLS{SSLMode: SSLVerifyFull, Negotiation: NegotiateDirect, CA: SystemCA, Cert: "c", Key: "k"}
	if p.TLS != want || p.ApplicationName != "a" || p.ServerOptions != "-c work_mem=1MB" {
		t.Errorf("got %+v %q %q", p.TLS, p.ApplicationName, p.ServerOptions)
	}
	if p.Timeouts.ServerConnect != 0 || !p.explicit["timeouts.server_connect"] {
		t.Errorf("connect_timeout=0: got %v", p.Timeouts.ServerConnect)
	}
}
