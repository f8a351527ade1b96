package relay

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/usher-pg/usher/internal/reactor"
	"github.com/usher-pg/usher/internal/wire"
)

// A cancel key's process ID says where its client is: node, loop and slot. It is never negative, because libpq and
// others print it as a signed number.
const (
	slotBits = 20
	loopBits = 4
	nodeBits = 7

	// LoopsMax is how many loops the key has room for.
	LoopsMax = 1 << loopBits
)

// keys makes and checks the secrets of cancel keys. They are a MAC of where the client is and how often that place
// was used, so none is stored.
type keys struct {
	node uint32

	// mutex guards mac, which is used again and again: to make one costs as much as to use it.
	mutex sync.Mutex
	mac   hash.Hash
}

func newKeys(node uint32) *keys {
	var secret [sha256.Size]byte
	_, _ = rand.Read(secret[:]) // never fails, see crypto/rand
	return &keys{node: node & (1<<nodeBits - 1), mac: hmac.New(sha256.New, secret[:])}
}

func (k *keys) processID(loop int, token reactor.Token) uint32 {
	return k.node<<(slotBits+loopBits) | uint32(loop)<<slotBits | uint32(token)
}

// where is the place a process ID names. ok is false when it is another node's.
func (k *keys) where(processID uint32) (loop int, slot uint32, ok bool) {
	loop, slot = int(processID>>slotBits&(1<<loopBits-1)), processID&(1<<slotBits-1)
	return loop, slot, processID>>(slotBits+loopBits) == k.node
}

// secretOf is the secret of a client: four bytes for protocol 3.0, which knows no other length, and 32 from 3.2 on.
func (k *keys) secretOf(processID uint32, token reactor.Token, version uint32) []byte {
	place := make([]byte, 0, 12)
	place = binary.BigEndian.AppendUint32(place, processID)
	place = binary.BigEndian.AppendUint64(place, uint64(token))
	sum := k.sum(place)
	if version < wire.Version32 {
		return sum[:4]
	}
	return sum
}

func (k *keys) sum(place []byte) []byte {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.mac.Reset()
	_, _ = k.mac.Write(place)
	return k.mac.Sum(nil)
}

// fits compares a secret with that of the client who is at token now and was welcomed with the given version.
func (k *keys) fits(processID uint32, token reactor.Token, version uint32, secret []byte) bool {
	return subtle.ConstantTimeCompare(secret, k.secretOf(processID, token, version)) == 1
}
