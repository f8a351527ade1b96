// Package tuner learns how many server connections a database server can use at once before more of them only make each
// other slower, and says which limit there should be. It is a function of what was observed and when; who calls it, a
// few times a second, sets State.Limit (pool.Pool.SetLimit; [Share] divides it among pools) and logs the steps with
// their reasons. Targets are capped at State.Size, which does not move during a trial.
//
// # What it can know
//
// While the load does not fill the limit, throughput is what is asked for. Nothing can be learned about more
// connections, and fewer would only make requests wait: the limit stays. The curve still shows how service times grow
// with concurrency as it comes and goes by itself, and a size that did more that way is tried first when it matters.
// While requests wait at the limit, throughput is what the server can do with so many, and another limit shows what it
// can do with others.
//
// # A trial
//
// Machines are noisy: a second's throughput proves nothing. A trial compares the size that holds with a candidate, in
// blocks of a second or more: size, candidate, candidate, size, size and so on, so that drift cancels out. Two
// neighbouring blocks are a pair. The mean of the pairs' logarithmic ratios, outliers clipped, has a standard error;
// the trial ends when the mean is clearly on one side of what is tolerated, or after Rules.Longest. The larger size is
// taken only if it does more by Rules.Tolerance for four times as many connections, and in proportion: of sizes that
// are as good as equal, the smaller one costs less memory, and each of its transactions is quicker.
//
// # The search
//
// It goes in one direction in steps of up to Rules.Step, until a size is worse or no better, and halves what lies
// between, on a ladder of sizes (1, 2, 3, 4, 6, 8, 12, 16 …). It relies on the curve having one peak. What noise may
// have ruled out gets another trial before the search ends: a size that looks clearly better than the one that was
// found when all trials are taken together, and the next larger one if it was compared with another.
//
// A found size is trusted for Rules.Again, and longer each time its neighbours have been checked and nothing was new.
// The search begins anew when the same number of connections does 1.3 times as much as it did, or as little: these
// are other statements. The curve fades with load, not with time.
//
// A [Lesson] is what is to be remembered of it. [Resume] begins with one: its size holds, is not trusted until both
// neighbours were checked, and gives way to a search when the throughput is not what it was.
//
// # Guard rails
//
//   - No limit is ever outside Rules.Min and Rules.Max.
//   - No trial during an event, or while critical work is slow, unless the search has not ended and either nothing
//     larger has been tried yet, or critical work is what suffers; and then in small steps.
//   - A trial without a result, because the load does not fill the limit or transactions take too long, is followed by
//     a pause, each longer than the one before.
//   - No trial while the server fails; one that is under way ends at once, and the size holds that held before it.
//   - Off, or with trials not allowed, nothing is tried. Off forgets all, and the limit is Rules.Max.
package tuner
