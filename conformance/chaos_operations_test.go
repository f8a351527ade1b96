//go:build integration

package conformance

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// chaosOperations are what clients do, at random. Each checks that every answer belongs to its question.
var chaosOperations = []struct {
	name string
	do   func(*chaosClient) error
}{
	{"simple query", (*chaosClient).simpleQuery},
	{"simple query", (*chaosClient).simpleQuery},
	{"several statements", (*chaosClient).severalStatements},
	{"unnamed statement", (*chaosClient).unnamedStatement},
	{"unnamed statement", (*chaosClient).unnamedStatement},
	{"late bind", (*chaosClient).lateBind},
	{"prepared statement", (*chaosClient).preparedStatement},
	{"prepared statement", (*chaosClient).preparedStatement},
	{"prepared statement", (*chaosClient).preparedStatement},
	{"forget statements", (*chaosClient).forgetStatements},
	{"pipeline", (*chaosClient).pipeline},
	{"pipeline", (*chaosClient).pipeline},
	{"transaction", (*chaosClient).transaction},
	{"transaction", (*chaosClient).transaction},
	{"copy out", (*chaosClient).copyOut},
	{"copy in", (*chaosClient).copyIn},
	{"large row", (*chaosClient).largeRow},
	{"setting", (*chaosClient).setting},
	{"cancel", (*chaosClient).cancelRunning},
	{"cancel while idle", (*chaosClient).cancelIdle},
	{"die", (*chaosClient).die},
}

// only checks the single answer to a question whose one row must be the token.
func (c *chaosClient) only(answers []answer, expected ...string) error {
	return c.check(answers[0], expected, "", 'I')
}

// check compares an answer with what was asked for: rows, SQLSTATE of the error ("" for none), transaction
// status. The only other thing that may come is the error of a cancel this client has sent.
func (c *chaosClient) check(got answer, rows []string, state string, status byte) error {
	defer func() { c.mayCancel = max(0, c.mayCancel-1) }()
	if got.err != nil && got.err.Code == queryCanceled && c.mayCancel > 0 {
		c.test.counts.cancelled.Add(1)
		return nil
	}
	code := ""
	if got.err != nil {
		code = got.err.Code
	}
	if code != state {
		return &wrongAnswer{fmt.Sprintf("expected SQLSTATE %q, got %q", state, code), got.err}
	}
	if state == "" && strings.Join(got.rows, "\n") != strings.Join(rows, "\n") {
		return &wrongAnswer{fmt.Sprintf("expected rows %.200q, got %.200q", rows, got.rows), nil}
	}
	if got.status != status {
		return &wrongAnswer{fmt.Sprintf("expected status %c, got %c", status, got.status), got.err}
	}
	return nil
}

// wrongAnswer is what this test is there to find, unless its error says that the server went away.
type wrongAnswer struct {
	text string
	said *pgproto3.ErrorResponse
}

func (w *wrongAnswer) Error() string {
	if w.said == nil {
		return w.text
	}
	return fmt.Sprintf("%s: %s %s %s", w.text, w.said.Severity, w.said.Code, w.said.Message)
}

func query(format string, arguments ...any) *pgproto3.Query {
	return &pgproto3.Query{String: fmt.Sprintf(format, arguments...)}
}

// execute binds a statement to one text parameter and runs it.
func execute(statement, parameter string) []pgproto3.FrontendMessage {
	return []pgproto3.FrontendMessage{
		&pgproto3.Bind{PreparedStatement: statement, Parameters: [][]byte{[]byte(parameter)}},
		&pgproto3.Execute{},
	}
}

func (c *chaosClient) simpleQuery() error {
	token := c.token()
	answers, err := c.ask(1, query("SELECT '%s'", token))
	if err != nil {
		return err
	}
	return c.only(answers, token)
}

func (c *chaosClient) severalStatements() error {
	first, second := c.token(), c.token()
	if c.random.IntN(3) == 0 {
		answers, err := c.ask(1, query("SELECT '%s'; SELECT 1/0; SELECT '%s'", first, second))
		if err != nil {
			return err
		}
		return c.check(answers[0], nil, divisionByZero, 'I')
	}
	answers, err := c.ask(1, query("SELECT '%s'; SELECT '%s'", first, second))
	if err != nil {
		return err
	}
	return c.only(answers, first, second)
}

func (c *chaosClient) unnamedStatement() error {
	token := c.token()
	messages := []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT $1::text"}}
	messages = append(append(messages, execute("", token)...), &pgproto3.Sync{})
	answers, err := c.ask(1, messages...)
	if err != nil {
		return err
	}
	return c.only(answers, token)
}

// lateBind binds the unnamed statement in a later batch than it was parsed in.
func (c *chaosClient) lateBind() error {
	token, mark := c.token(), c.token()
	answers, err := c.ask(1, &pgproto3.Parse{Query: "SELECT $1::text || '" + mark + "'"}, &pgproto3.Sync{})
	if err != nil {
		return err
	}
	if answers[0].err != nil {
		return c.only(answers)
	}
	answers, err = c.ask(1, append(execute("", token), &pgproto3.Sync{})...)
	if err != nil {
		return err
	}
	return c.only(answers, token+mark)
}

// preparedStatement uses one of a few names. What it appends tells clients and statements apart; half of the
// texts are shared by all clients.
func (c *chaosClient) preparedStatement() error {
	number := c.random.IntN(6)
	name, token := fmt.Sprint("s", number), c.token()
	var messages []pgproto3.FrontendMessage
	suffix, known := c.statements[name]
	if !known {
		suffix = fmt.Sprint("/", number)
		if number%2 == 1 {
			suffix = fmt.Sprintf("/%d of %d", number, c.id)
		}
		messages = append(messages, &pgproto3.Parse{Name: name, Query: "SELECT $1::text || '" + suffix + "'"})
	}
	messages = append(append(messages, execute(name, token)...), &pgproto3.Sync{})
	answers, err := c.ask(1, messages...)
	if err != nil {
		return err
	}
	if answers[0].err == nil {
		c.statements[name] = suffix
	} else if !known {
		return c.forgetUncertain(name, answers)
	}
	return c.only(answers, token+suffix)
}

// forgetUncertain: a batch that was cancelled may or may not have prepared its statement.
func (c *chaosClient) forgetUncertain(name string, answers []answer) error {
	if err := c.only(answers); err != nil {
		return err
	}
	closed, err := c.ask(1, &pgproto3.Close{ObjectType: 'S', Name: name}, &pgproto3.Sync{})
	if err != nil {
		return err
	}
	return c.only(closed)
}

func (c *chaosClient) forgetStatements() error {
	for name := range c.statements {
		messages := []pgproto3.FrontendMessage{&pgproto3.Close{ObjectType: 'S', Name: name}, &pgproto3.Sync{}}
		if c.random.IntN(2) == 0 {
			messages = []pgproto3.FrontendMessage{query("DEALLOCATE ALL")}
		}
		answers, err := c.ask(1, messages...)
		if err != nil {
			return err
		}
		if answers[0].err != nil {
			return c.only(answers)
		}
		if len(messages) == 1 {
			clear(c.statements)
		} else {
			delete(c.statements, name)
		}
		return c.only(answers)
	}
	return nil
}

// pipeline sends several batches at once, some of which fail; each must get its own answer.
func (c *chaosClient) pipeline() error {
	type expectation struct {
		row, state string
	}
	var messages []pgproto3.FrontendMessage
	var expected []expectation
	for range 2 + c.random.IntN(8) {
		token := c.token()
		switch c.random.IntN(4) {
		case 0:
			messages = append(messages, query("SELECT '%s'", token))
			expected = append(expected, expectation{token, ""})
		case 1:
			messages = append(messages, &pgproto3.Parse{Query: "SELECT 1 / length($1::text) - 1"})
			messages = append(messages, execute("", "")...)
			messages = append(messages, query("SELECT 'skipped'"), &pgproto3.Sync{})
			expected = append(expected, expectation{"", divisionByZero})
		default:
			messages = append(messages, &pgproto3.Parse{Query: "SELECT $1::text"})
			messages = append(messages, execute("", token)...)
			messages = append(messages, &pgproto3.Sync{})
			expected = append(expected, expectation{token, ""})
		}
	}
	answers, err := c.ask(len(expected), messages...)
	for i, got := range answers {
		if err := c.check(got, []string{expected[i].row}, expected[i].state, 'I'); err != nil {
			return fmt.Errorf("answer %d of %d: %w", i+1, len(expected), err)
		}
	}
	return err
}

// transaction stays on one backend from its first to its last statement.
func (c *chaosClient) transaction() error {
	backend := ""
	steps := 1 + c.random.IntN(4)
	answers, err := c.ask(1, query("BEGIN"))
	if err != nil {
		return err
	}
	if answers[0].err != nil {
		return c.only(answers)
	}
	if err := c.check(answers[0], nil, "", 'T'); err != nil {
		return err
	}
	for range steps {
		token := c.token()
		answers, err := c.ask(1, query("SELECT '%s' || ' ' || pg_backend_pid()", token))
		if err != nil {
			return err
		}
		if answers[0].err != nil { // a cancel that came late; check decides
			if err := c.check(answers[0], nil, "", 'T'); err != nil {
				return err
			}
			break
		}
		text := strings.Join(answers[0].rows, "")
		if backend == "" {
			_, backend, _ = strings.Cut(text, " ")
		}
		if err := c.check(answers[0], []string{token + " " + backend}, "", 'T'); err != nil {
			return err
		}
	}
	if c.random.IntN(4) == 0 {
		answers, err := c.ask(1, query("SELECT 1/0"))
		if err != nil {
			return err
		}
		if answers[0].status != 'E' {
			return errors.New("a failed transaction is not failed")
		}
	}
	answers, err = c.ask(1, query("%s", []string{"COMMIT", "ROLLBACK"}[c.random.IntN(2)]))
	if err != nil {
		return err
	}
	return c.only(answers)
}

func (c *chaosClient) copyOut() error {
	first, second := c.token(), c.token()
	answers, err := c.ask(1, query("COPY (VALUES ('%s'), ('%s')) TO STDOUT", first, second))
	if err != nil {
		return err
	}
	return c.only(answers, first+"\n", second+"\n")
}

// copyIn writes rows and reads them back in one transaction that is rolled back; now and then it gives the
// COPY up.
func (c *chaosClient) copyIn() error {
	token := c.token()
	answers, err := c.ask(1, query("BEGIN"))
	if err != nil || answers[0].err != nil {
		return orCheck(c, answers, err)
	}
	refused, err := c.ask(copyBegins, query("COPY chaos_copy FROM STDIN"))
	if err != nil {
		return err
	}
	if len(refused) > 0 {
		return c.check(refused[0], nil, "COPY that begins", 'T')
	}
	if c.random.IntN(4) == 0 {
		answers, err := c.ask(2, &pgproto3.CopyData{Data: []byte(token + "\n")},
			&pgproto3.CopyFail{Message: token}, query("ROLLBACK"))
		if err != nil {
			return err
		}
		if failed := answers[0].err; failed == nil || !strings.Contains(failed.Message, token) {
			return fmt.Errorf("a COPY that was given up: %+v", answers[0])
		}
		return c.only(answers[1:])
	}
	answers, err = c.ask(3, &pgproto3.CopyData{Data: []byte(token + "\n" + token)},
		&pgproto3.CopyData{Data: []byte("x\n")}, &pgproto3.CopyDone{},
		query("SELECT line FROM chaos_copy WHERE line LIKE '%s%%' ORDER BY line", token), query("ROLLBACK"))
	if err != nil {
		return err
	}
	if answers[0].err == nil && answers[1].err == nil {
		if err := c.check(answers[1], []string{token, token + "x"}, "", 'T'); err != nil {
			return err
		}
	} else if c.mayCancel == 0 {
		return c.check(answers[0], nil, "", 'T')
	}
	return c.only(answers[2:])
}

func orCheck(c *chaosClient, answers []answer, err error) error {
	if err != nil {
		return err
	}
	return c.only(answers)
}

func (c *chaosClient) largeRow() error {
	token := c.token()
	times := 1 + c.random.IntN(20000)
	answers, err := c.ask(1, query("SELECT repeat('%s', %d)", token, times))
	if err != nil {
		return err
	}
	return c.only(answers, strings.Repeat(token, times))
}

// setting reads what this client has set, and sometimes sets something else.
func (c *chaosClient) setting() error {
	if c.random.IntN(2) == 0 {
		name := c.token()
		answers, err := c.ask(1, query("SET application_name = '%s'", name))
		if err != nil {
			return err
		}
		if answers[0].err == nil {
			c.name = name
		}
		if err := c.only(answers); err != nil {
			return err
		}
	}
	answers, err := c.ask(1, query("SHOW application_name"))
	if err != nil {
		return err
	}
	return c.only(answers, c.name)
}

// cancelRunning cancels its own statement; both the row and the cancellation are right answers.
func (c *chaosClient) cancelRunning() error {
	token := c.token()
	duration := 2.0 // the cancel comes first, or
	if c.random.IntN(2) == 0 {
		duration = c.random.Float64() / 20 // it may come too late
	}
	c.socket.SetDeadline(time.Now().Add(chaosPatience))
	c.messages.Send(query("SELECT concat('%s', pg_sleep(%f))", token, duration))
	if err := c.messages.Flush(); err != nil {
		return &fatal{err: err}
	}
	if err := c.cancel(); err != nil {
		return err
	}
	answers, err := c.read(1)
	if err != nil {
		return err
	}
	return c.only(answers, token)
}

// cancelIdle cancels while nothing of its own runs: nobody must notice.
func (c *chaosClient) cancelIdle() error {
	if err := c.cancel(); err != nil {
		return err
	}
	return c.simpleQuery()
}

// die goes away without a word at a bad moment. The next operation connects again.
func (c *chaosClient) die() error {
	c.test.counts.deaths.Add(1)
	var messages []pgproto3.FrontendMessage
	token := c.token()
	switch c.random.IntN(5) {
	case 0:
		messages = append(messages, query("BEGIN"), query("SELECT '%s'", token))
	case 1:
		messages = append(messages, query("SELECT repeat('%s', 100) FROM generate_series(1, 2000)", token))
	case 2:
		messages = append(messages, query("COPY chaos_copy FROM STDIN"), &pgproto3.CopyData{Data: []byte(token)})
	case 3:
		messages = append(messages, &pgproto3.Parse{Query: "SELECT $1::text"})
		messages = append(messages, execute("", token)...)
	case 4:
		messages = append(messages, query("SELECT pg_sleep(0.05)"))
	}
	var sent []byte
	for _, message := range messages {
		var err error
		if sent, err = message.Encode(sent); err != nil {
			return err
		}
	}
	half, err := query("SELECT '%s' AS never_finished", token).Encode(nil)
	if err != nil {
		return err
	}
	if c.random.IntN(3) > 0 {
		sent = append(sent, half[:1+c.random.IntN(len(half)-1)]...)
	}
	c.socket.Write(sent)
	if c.random.IntN(2) == 0 {
		c.socket.SetLinger(0) // a reset, as when the machine goes away
	}
	c.drop()
	return nil
}
