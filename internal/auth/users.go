package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
)

// User is somebody who may log in.
type User struct {
	Name   string
	Secret Secret

	once    sync.Once
	derived Verifier // of a plain password; written once
}

// NewUser is a user who stands in no users file.
func NewUser(name string, secret Secret) *User { return &User{Name: name, Secret: secret} }

// verifier is what the user's SCRAM proofs are checked with. For a plain password it is computed at the first
// need and kept. ok is false when the secret allows no SCRAM.
func (u *User) verifier() (v Verifier, ok bool) {
	switch u.Secret.kind {
	case KindSCRAM:
		return u.Secret.verifier, true
	case KindPlain:
		u.once.Do(func() { u.derived = NewVerifier(u.Secret.text) })
		return u.derived, true
	}
	return Verifier{}, false
}

// Users is a set of users, as a users file holds them. It does not change; a reload makes another one.
type Users struct {
	byName map[string]*User

	// What a user who does not exist looks like: as most of those do who exist.
	mockKind       Kind
	mockIterations int
	mockKey        [sha256.Size]byte
}

// NewUsers is the set of the given users, of which no two have the same name.
func NewUsers(users ...*User) *Users {
	u := &Users{
		byName: make(map[string]*User, len(users)), mockKind: KindSCRAM, mockIterations: DefaultIterations,
	}
	_, _ = rand.Read(u.mockKey[:]) // crypto/rand never fails
	kinds, iterations := map[Kind]int{}, map[int]int{}
	for _, user := range users {
		u.byName[user.Name] = user
		kinds[user.Secret.kind]++
		if user.Secret.kind == KindSCRAM {
			iterations[user.Secret.verifier.Iterations]++
		}
	}
	if kinds[KindMD5] > kinds[KindSCRAM] && kinds[KindMD5] >= kinds[KindPlain] {
		u.mockKind = KindMD5
	} else if kinds[KindPlain] > kinds[KindSCRAM] {
		u.mockKind = KindPlain
	}
	// Verifiers of plain passwords have the default count.
	best := kinds[KindPlain] + iterations[DefaultIterations]
	for count, n := range iterations {
		if count != DefaultIterations && (n > best || n == best && count < u.mockIterations) {
			best, u.mockIterations = n, count
		}
	}
	return u
}

// nobody is the set of users that a nil *Users stands for.
var nobody = sync.OnceValue(func() *Users { return NewUsers() })

// Inherit takes over what a reload would otherwise forget: verifiers computed from plain passwords that are
// still the same, so that a user's salt stays, and the key of the mocks, so that theirs stay too. It is
// called before u is used.
func (u *Users) Inherit(old *Users) {
	if old == nil {
		return
	}
	u.mockKey = old.mockKey
	for name, user := range u.byName {
		was := old.byName[name]
		if was != nil && user.Secret.kind == KindPlain && was.Secret.Equal(user.Secret) {
			u.byName[name] = was
		}
	}
}

// Lookup finds a user.
func (u *Users) Lookup(name string) (*User, bool) {
	if u == nil {
		return nil, false
	}
	user, ok := u.byName[name]
	return user, ok
}

// Len is the number of users.
func (u *Users) Len() int {
	if u == nil {
		return 0
	}
	return len(u.byName)
}

// Warm computes the verifiers of plain passwords that nobody has needed yet, until stop is closed. A first
// login that finds its verifier missing takes a millisecond longer than the others, which tells a stranger
// that the user exists.
func (u *Users) Warm(stop <-chan struct{}) {
	if u == nil {
		return
	}
	for _, user := range u.byName {
		select {
		case <-stop:
			return
		default:
			user.verifier()
		}
	}
}

// mockVerifier is the verifier of nobody: the same for the same name, and matched by no proof.
func (u *Users) mockVerifier(name string) Verifier {
	salt := hmacSum(u.mockKey[:], "salt "+name)
	return Verifier{
		Iterations: u.mockIterations,
		Salt:       salt[:saltLen],
		StoredKey:  hmacSum(u.mockKey[:], "stored key "+name),
		ServerKey:  hmacSum(u.mockKey[:], "server key "+name),
	}
}
