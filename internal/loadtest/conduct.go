package loadtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/usher-pg/usher/internal/loadtest/crowd"
	"github.com/usher-pg/usher/internal/loadtest/report"
	"github.com/usher-pg/usher/pool"
)

const (
	clientUser = "load_test" // whom clients log in as
	// The clients' logins: how many at a time, how long one may take, and how often each tries.
	loginsParallel = 256
	loginPatience  = 30 * time.Second
	loginAttempts  = 3
	// doorsPatience is when a test is given up whose clients do not get in.
	doorsPatience = 2 * doorsLimit
	// settlePatience is how long the queues of a pooler may take to be empty before a phase.
	settlePatience = queryWait + unpreparedIdle + 10*time.Second
)

// conductor conducts one load test.
type conductor struct {
	Options
	folder   string
	secret   secret // of clientUser
	work     work
	database *database
	people   *people
	bar      *progress
}

// side conducts everything about one pooler.
type side struct {
	*conductor
	pooler pooler
	at     string // the pool in which everybody is, "" for nobody
	out    report.Side
}

// measure runs all phases against a pooler. capacity is 0 to measure it first.
func (c *conductor) measure(ctx context.Context, p pooler, capacity float64) (report.Side, error) {
	s := &side{conductor: c, pooler: p}
	s.out = report.Side{Name: p.name(), Version: p.version(), Judged: p.name() != pgbouncerName}
	if err := s.enter(ctx, preparedPool, true); err != nil {
		return s.out, err
	}
	if err := s.calibrate(ctx); err != nil {
		return s.out, err
	}
	if capacity == 0 {
		capacity = s.out.Capacity
	}
	for _, ph := range plan(c.Options, capacity) {
		if err := s.enter(ctx, ph.pool, false); err != nil {
			return s.out, fmt.Errorf("phase %s: %w", ph.name, err)
		}
		if err := s.conduct(ctx, ph); err != nil {
			return s.out, fmt.Errorf("phase %s: %w", ph.name, err)
		}
	}
	return s.out, s.leave(ctx)
}

func (s *side) leave(ctx context.Context) error {
	_, err := s.people.tell(ctx, crowd.Command{Leave: true}, nil)
	s.at = ""
	return err
}

// enter has all clients connected to a pool.
func (s *side) enter(ctx context.Context, pool string, first bool) error {
	if s.at == pool {
		return nil
	}
	if s.at != "" {
		if err := s.leave(ctx); err != nil {
			return err
		}
	}
	command := &crowd.Connect{
		Address: s.pooler.address(), User: clientUser, Password: s.secret.password, Database: pool,
		NameLane: s.pooler.namesLanes(), Parallel: loginsParallel, Patience: loginPatience, Attempts: loginAttempts,
	}
	for lane, count := range seatsOf(s.Clients) {
		command.Seats = append(command.Seats, crowd.Seats{Lane: laneName(lane), Count: count})
	}
	s.bar.phase(s.pooler.name(), "Doors open", doorsLimit)
	ctx, cancel := context.WithTimeoutCause(ctx, doorsPatience,
		fmt.Errorf("not all clients were logged in within %v", doorsPatience))
	defer cancel()
	last, err := s.people.tell(ctx, crowd.Command{Connect: command}, func(r crowd.Report) error {
		s.bar.tell("%d of %d clients are logged in", r.Doors.Inside, s.Clients)
		return nil
	})
	if err != nil {
		return err
	}
	s.at = pool
	if last.Doors.Inside == 0 {
		return fmt.Errorf("no client could log in: %+v", last.Doors.Failures)
	}
	if first && s.wants(phaseDoors) {
		s.finish(doorsPhase(last.Doors, s.Options, s.out.Judged))
	} else if last.Doors.Inside < s.Clients {
		return fmt.Errorf("only %d of %d clients could log in: %+v", last.Doors.Inside, s.Clients, last.Doors.Failures)
	}
	return nil
}

// calibrate measures the capacity: what is served when nobody ever rests.
func (s *side) calibrate(ctx context.Context) error {
	c := calibration(s.Options)
	m, ph, err := s.play(ctx, c)
	if err != nil {
		return fmt.Errorf("calibrate: %w", err)
	}
	if v := judgeErrors(m.outcome.Lanes, "errors while the capacity was measured"); v.State != report.Passed {
		return fmt.Errorf("calibrate: %s: %+v", v.Text, m.outcome.Lanes[0].Failures)
	}
	var served []uint64
	for _, second := range ph.Seconds {
		served = append(served, second.Lanes[0].Served)
	}
	if s.out.Capacity, err = capacityOf(served); err != nil {
		return err
	}
	ph.Story = fmt.Sprintf("%d requests always under way: %.0f transactions a second", c.loads[0].Closed, s.out.Capacity)
	ph.Verdicts = nil
	s.finish(ph)
	return nil
}

// conduct runs a phase with its verdicts.
func (s *side) conduct(ctx context.Context, p phase) error {
	if err := s.settle(ctx, p); err != nil {
		return err
	}
	if p.hold > 0 {
		hold := &crowd.Hold{Lane: pool.Normal.String(), Count: p.hold, Patience: holdPatience}
		if _, err := s.people.tell(ctx, crowd.Command{Hold: hold}, nil); err != nil {
			return fmt.Errorf("hold transactions: %w", err)
		}
	}
	m, ph, err := s.play(ctx, p)
	if err != nil {
		return err
	}
	if p.hold > 0 {
		held, err := s.people.tell(ctx, crowd.Command{Release: true}, nil)
		if err != nil {
			return fmt.Errorf("end the transactions that were held: %w", err)
		}
		m.held, ph.Held = held.Held, held.Held
	}
	if s.out.Judged {
		ph.Verdicts = judge(p, m, s.Options)
	} else {
		ph.Verdicts = []report.Verdict{judgeGenerator(m.outcome, s.Objective)}
	}
	s.finish(ph)
	return nil
}

// play runs the load of a phase and reads the pooler once a second.
func (s *side) play(ctx context.Context, p phase) (*measured, report.Phase, error) {
	s.bar.phase(s.pooler.name(), p.title, p.length)
	m, ph := &measured{}, phaseReport(p)
	look := func() error {
		r, err := s.pooler.read(ctx, p.pool)
		m.readings = append(m.readings, r)
		return err
	}
	if err := look(); err != nil {
		return nil, ph, err
	}
	used, began := s.usage(), time.Now()
	before := used
	command := crowd.Command{Run: &crowd.Run{
		Seed: s.Seed, Duration: p.length, Work: s.work.Work, Loads: p.loads, Drain: drainLength,
	}}
	last, err := s.people.tell(ctx, command, func(r crowd.Report) error {
		if err := look(); err != nil {
			return err
		}
		now := s.usage()
		second := secondReport(r.Second, m.readings, cores(before, now, time.Second)[wholeMachine])
		before = now
		last := int(p.length.Seconds())
		if r.Second.Number <= last { // what comes later is the drain
			ph.Seconds = append(ph.Seconds, second)
		}
		if r.Second.Number == last {
			ph.Usage = usageReport(used, now, time.Since(began))
		}
		s.bar.second(second)
		return nil
	})
	if err != nil {
		return nil, ph, err
	}
	if err := look(); err != nil {
		return nil, ph, err
	}
	m.outcome = last.Outcome
	ph.Lateness = report.QuantilesOf(m.outcome.Lateness)
	for _, l := range m.outcome.Lanes {
		ph.Lanes = append(ph.Lanes, laneReport(l, m, s.pooler.namesLanes(), s.work.BeganColumn > 0))
	}
	meanWaitReport(&ph, m)
	return m, ph, nil
}

// settle waits until nobody waits in the pooler, and the pool is as large as it should be before the phase.
func (s *side) settle(ctx context.Context, p phase) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settlePatience,
		errors.New("the pool did not come to rest before the phase"))
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		r, err := s.pooler.read(ctx, p.pool)
		if err != nil {
			return err
		}
		waiting := 0
		for _, n := range r.waiting {
			waiting += n
		}
		tooLarge := p.small && r.open > min(unpreparedMin, s.Pool)+s.Reserve
		if waiting == 0 && r.opening == 0 && r.busy == 0 && !tooLarge {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %d wait; of %d server connections %d are busy, and %d are being opened",
				context.Cause(ctx), waiting, r.open, r.busy, r.opening)
		}
	}
}

// finish adds a phase to the side's report.
func (s *side) finish(p report.Phase) {
	s.out.Phases = append(s.out.Phases, p)
	s.bar.finished(p)
}

func (s *side) usage() usage {
	processes := map[string]int{
		s.pooler.name(): s.pooler.process().pid(), "clients": s.people.pid(), "this conductor": os.Getpid(),
	}
	postmaster := 0
	if s.database.private != nil {
		postmaster = s.database.private.PID()
	}
	return readUsage(processes, postmaster)
}

// start makes a folder for a pooler and starts it there.
func (c *conductor) start(ctx context.Context, name string) (pooler, error) {
	folder := filepath.Join(c.folder, name)
	if err := os.Mkdir(folder, 0o755); err != nil {
		return nil, fmt.Errorf("create a folder for %s: %w", name, err)
	}
	if name == pgbouncerName {
		return startPgBouncer(ctx, c.Options, c.database, folder, c.secret)
	}
	return startUsher(ctx, c.Options, c.database, folder, c.secret)
}

func laneName(lane int) string { return pool.Lane(lane).String() }
