// Package pool is usher's engine: it decides who gets one of a few interchangeable resources (for usher,
// connections to a database server), who waits, who is refused, and how many resources should be open.
//
// It is a state machine under one mutex. It opens and closes nothing, starts no goroutine and no timer and
// reads no clock: callers say what happened and when, and get told what to do. So the same engine serves
// event loops, where one request takes two calls and no allocation, and goroutines; and it can be tested
// without waiting for anything.
//
// # Use
//
// A requester embeds a [Waiter] and calls [Pool.Acquire]. The [Outcome] is one of three:
//
//   - a Resource: the requester's until it calls [Pool.Release], or [Pool.Discard] if the resource broke;
//   - Queued: some later call, by anybody, returns a [Grant] or a [Refusal] for this waiter. Whoever gets it
//     delivers it to the waiter's Owner, on whatever thread that lives, and the owner calls [Pool.Accept] or
//     [Pool.AcceptRefusal];
//   - Err: refused, with one of the errors below.
//
// A requester that goes away calls [Pool.Cancel] first. A grant may be on its way then. Cancel returns its
// resource, and Accept of the grant will be false: a late letter is ignored, never answered. The same is true
// when a resource breaks between grant and delivery; its waiter is queued again where it was.
//
// Outcome.Open, Work.Open and the result of Discard tell the caller how many resources to open. Each open
// must end with [Pool.Opened] or [Pool.OpenFailed].
//
// [Pool.Tick] does what is due by time: timeouts, emergencies, closing, opening, retries. It must be called
// when [Pool.Due] has come, and Due may become earlier, even now, by any call. A loop that asks Due after
// each turn, which costs one atomic load, has done all it must; what Tick finds is in a [Work] that is used
// again and again.
//
// # Who is served
//
// There are four lanes. Critical goes first, always. Among the others a waiter counts as one lane higher for
// each Config.Ageing it has waited longer than another, so low still moves when high is busy; but no age
// lifts into critical, or overload would reach it. Within a lane, first come is first served. A released
// resource is handed over directly: nobody can slip in between. The idle resource used last is taken first,
// so that what is not needed rests, and can be closed.
//
// # The reserve
//
// Resources are alike, so the reserve is a number. Up to Max + Reserve may be open, and Min (or the target,
// if it is more) + Reserve are kept open. Ordinary requests may have Max, or the limit of [Pool.SetLimit], or
// what is open beyond the reserve, whichever is least; but at least Min, and one. A waiter that has waited
// for the SLO of its lane takes from the reserve, which costs no opening because the reserve is open; and it
// does so before, when it is not to be expected that it, or the last one behind it in its lane, gets an
// ordinary one in time. What is to be expected comes from how long resources are held and when the last one
// came free. Taking from the reserve is an emergency, and counted. While more are taken than ordinary
// requests may have, what is released goes to emergencies or refills the reserve. [Pool.OpenReserve] lets
// lanes take from it at once, for a time.
//
// # How many are open
//
// Demand is what is taken and who waits. The pool opens what demand, with Config.Warm of it free (up to the
// limit), and the reserve need, and at least what Min and [Pool.SetTarget] ask for, Config.OpenParallel at a
// time and no faster than Config.OpenRate. It closes what has been
// idle beyond that and beyond the reserve for IdleTimeout, longest idle first, and never a busy one. What has
// reached its lifetime, which is jittered, is closed when its replacement is open; if there is no room for
// both, one at a time makes room; and while opening fails it stays. [Pool.Reconnect] begins an epoch and
// closes all that is older.
//
// A [Budget] bounds what several pools have open together. Each pool's Min is guaranteed. When the rest is
// given away, waiters of one pool make the others close what they have idle above their Min; and of what is busy
// there, as it is released, so many that all pools whose waiters need more have the same. So Min must include
// what of the reserve a pool must never lose.
//
// A failed open is repeated after a pause that doubles, one open at a time until one succeeds. If nothing is
// open at all, requests wait for Config.Grace and are then refused with [ErrDown], at once if they come
// later. The pool goes on trying, and the first success ends it.
//
// # Who is refused
//
//   - [ErrQueueFull]: as many wait in the lane as Config.QueueLimit says
//   - [ErrQueueTimeout]: the waiter's Deadline, or Config.QueueTimeout, has come
//   - [ErrHopeless]: the expected wait is longer than that, both by how long resources are held and by how many
//     came free lately, or by the pace of a lane that others leave little; only with Config.RefuseHopeless
//   - [ErrShed]: [Pool.Shed] names the lane
//   - [ErrDown]: nothing can be opened
//   - [ErrClosed]: [Pool.Close]
//
// # Holds
//
// Between [Pool.Hold] and [Pool.Unhold] nobody is granted anything. Requests wait, within limits and
// timeouts, and are not refused for the server being down. [Pool.HoldClosing] also closes what is idle and
// released. [Pool.Drained] says when nothing is busy.
//
// # Threads
//
// All methods may be called by any goroutine. None blocks, and none calls back. The Value of a resource
// belongs to who holds it, and of a closing one to who fetched it. A caller that lets [Budget] pools or
// operators act from other threads must see to it that the loop which ticks wakes up and looks at Due.
//
// What breaks these rules (releasing twice, acquiring with a waiter that waits) panics with a text that
// begins "bug:".
package pool
