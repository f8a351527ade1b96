// Package lanes decides which lane a request belongs to, and who may use which.
//
// A client that logs in gets a [Grant] by the operator's [Rules]: the lane of its requests, and the highest one it may
// ask for. It asks in three ways, of which the later ones win: by the startup option usher.lane, by SET usher.lane,
// and for one statement by a comment, which [Asked] reads:
//
//	/* usher:lane=critical */ SELECT …          at the beginning
//	SELECT … /*action='checkout',lane='critical'*/  at the end, the form of sqlcommenter
//
// What is more than the grant allows is lowered to it, or refused, as the operator wishes. A lane is no secret and no
// credential: who can write statements can write comments, so a grant is what an operator trusts a user with.
//
// The package decides and opens nothing. It looks at a bounded part of a statement and allocates nothing.
package lanes
