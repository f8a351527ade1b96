package relay

import (
	"testing"

	engine "github.com/usher-pg/usher/pool"
)

func TestAnOpenReserveServesAtOnce(t *testing.T) {
	t.Parallel()
	p := one()
	p.rules.Engine.Reserve = 1
	w := p.start(t)
	w.eventually("the reserve is open", func() bool { return w.pool.Stat().Open == 2 })
	a, b := w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	b.send(query("SELECT 'b'"))
	b.waiting()
	w.pool.OpenReserve(engine.Normal, w.Now()+patience)
	b.want("T D(b) C(SELECT_1) Z(I)")
	w.pool.OpenReserve(engine.Normal, 0)
	b.send(query("SELECT 'b'"))
	b.waiting()
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	b.want("T D(b) C(SELECT_1) Z(I)")
}
