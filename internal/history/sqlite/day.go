package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/usher-pg/usher/internal/history"
)

// A day is the buckets of a pool that begin on a day of UTC, packed:
//
//	version   byte
//	bucket…   start and width   uvarint, in steps from the day's beginning
//	          samples           uvarint
//	          flags             byte
//	          service           uvarint, nanoseconds
//	          from, until       uvarint, nanoseconds; only with flagPart
//	          six numbers       float64, little-endian
//	checksum  uint32, little-endian: CRC-32C of all before
//
// SQLite has no checksums of its own, and a number with a wrong bit is still a number.
const (
	dayVersion = 1
	numbers    = 6
	// leastPacked and mostPacked are how many bytes a bucket can have.
	leastPacked = 5 + 8*numbers
	mostPacked  = 1 + 6*binary.MaxVarintLen64 + 8*numbers
	checksum    = 4
	// mostInDay bounds the buckets of a day.
	mostInDay = int(history.Widest / history.Step)
)

const (
	flagCutOff = 1 << iota
	flagOutage
	flagPart
	allFlags = flagCutOff | flagOutage | flagPart
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errPacked = errors.New("expected a packed day")

// dayOf is the number of a time's day since the Unix epoch.
func dayOf(t time.Time) int64 { return t.Unix() / int64(history.Widest/time.Second) }

func dayStart(day int64) time.Time { return time.Unix(day*int64(history.Widest/time.Second), 0).UTC() }

// pack writes buckets of a day that [history.Bucket.Check] has accepted.
func pack(day int64, buckets []history.Bucket) []byte {
	start := dayStart(day)
	packed := make([]byte, 0, 1+checksum+len(buckets)*(leastPacked+10))
	packed = append(packed, dayVersion)
	for i := range buckets {
		b := &buckets[i]
		packed = binary.AppendUvarint(packed, uint64(b.Start.Sub(start)/history.Step))
		packed = binary.AppendUvarint(packed, uint64(b.Width/history.Step))
		packed = binary.AppendUvarint(packed, uint64(b.Samples))
		var flags byte
		if b.CutOff {
			flags |= flagCutOff
		}
		if b.Outage {
			flags |= flagOutage
		}
		if b.From != 0 || b.Until != 0 {
			flags |= flagPart
		}
		packed = append(packed, flags)
		packed = binary.AppendUvarint(packed, uint64(b.Service))
		if flags&flagPart != 0 {
			packed = binary.AppendUvarint(packed, uint64(b.From))
			packed = binary.AppendUvarint(packed, uint64(b.Until))
		}
		for _, x := range [numbers]float64{b.Mean, b.P95, b.Max, b.Arrivals, b.ArrivalSpread, b.ServiceSpread} {
			packed = binary.LittleEndian.AppendUint64(packed, math.Float64bits(x))
		}
	}
	return seal(packed)
}

// seal ends what is packed with its checksum.
func seal(packed []byte) []byte {
	return binary.LittleEndian.AppendUint32(packed, crc32.Checksum(packed, castagnoli))
}

// unseal is what is between a version and a checksum that fits.
func unseal(packed []byte, version byte, most int) ([]byte, error) {
	if len(packed) < 1+checksum || len(packed) > 1+checksum+most {
		return nil, fmt.Errorf("%w: %d bytes", errPacked, len(packed))
	}
	body, sum := packed[:len(packed)-checksum], packed[len(packed)-checksum:]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(sum) {
		return nil, fmt.Errorf("%w: the checksum does not fit", errPacked)
	}
	if body[0] != version {
		return nil, fmt.Errorf("%w of version %d: these have %d", errPacked, version, body[0])
	}
	return body[1:], nil
}

// unpack appends the buckets of a day to others. They are in order, do not overlap and are as Check wants them, or
// there is an error.
func unpack(buckets []history.Bucket, day int64, packed []byte) ([]history.Bucket, error) {
	body, err := unseal(packed, dayVersion, mostInDay*mostPacked)
	if err != nil {
		return nil, err
	}
	r := reader{rest: body}
	end := dayStart(day)
	for len(r.rest) > 0 {
		b := r.bucket(dayStart(day))
		if r.short {
			return nil, fmt.Errorf("%w: they end too early", errPacked)
		}
		if err := b.Check(); err != nil {
			return nil, err
		}
		if b.Start.Before(end) || dayOf(b.Start) != day {
			return nil, fmt.Errorf("%w: %s is out of order", errPacked, b.Start.Format(time.RFC3339))
		}
		end = b.End()
		buckets = append(buckets, b)
	}
	return buckets, nil
}

// reader takes things from the beginning of some bytes.
type reader struct {
	rest  []byte
	short bool // there were too few
}

func (r *reader) bucket(day time.Time) history.Bucket {
	var b history.Bucket
	b.Start = day.Add(r.duration(history.Step))
	b.Width = r.duration(history.Step)
	b.Samples = int(r.uvarint(uint64(history.MostSamples)))
	flags := r.byte()
	b.CutOff, b.Outage = flags&flagCutOff != 0, flags&flagOutage != 0
	b.Service = r.duration(1)
	if flags&flagPart != 0 {
		b.From, b.Until = r.duration(1), r.duration(1)
	}
	for _, x := range [numbers]*float64{&b.Mean, &b.P95, &b.Max, &b.Arrivals, &b.ArrivalSpread, &b.ServiceSpread} {
		*x = r.float()
	}
	r.short = r.short || flags&^allFlags != 0
	return b
}

func (r *reader) duration(unit time.Duration) time.Duration {
	return time.Duration(r.uvarint(math.MaxInt64/2/uint64(unit))) * unit
}

// uvarint is a number up to most.
func (r *reader) uvarint(most uint64) uint64 {
	x, n := binary.Uvarint(r.rest)
	if n <= 0 || x > most {
		r.short, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return x
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.short = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) float() float64 {
	if len(r.rest) < 8 {
		r.short, r.rest = true, nil
		return 0
	}
	x := math.Float64frombits(binary.LittleEndian.Uint64(r.rest))
	r.rest = r.rest[8:]
	return x
}
