package sqlite

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/historytest"
)

// aDay is a day with parts, gaps and wide buckets.
func aDay() (int64, []history.Bucket) {
	buckets := historytest.Buckets(-144, 200)
	buckets[7].From, buckets[7].Until = 1, 299_000_000_000
	buckets = slices.Delete(buckets, 20, 30)
	buckets = append(buckets, history.Coarsen(historytest.Buckets(72, 24), history.CoarseWidth)...)
	return dayOf(buckets[0].Start), buckets
}

func TestWhatIsPackedIsUnpacked(t *testing.T) {
	t.Parallel()
	day, want := aDay()
	got, err := unpack(nil, day, pack(day, want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err := unpack(nil, day, pack(day, nil)); err != nil || len(got) > 0 {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}

func TestEveryWrongBitIsFound(t *testing.T) {
	t.Parallel()
	day, buckets := aDay()
	packed := pack(day, buckets[:4])
	for i := range packed {
		for bit := range 8 {
			packed[i] ^= 1 << bit
			if _, err := unpack(nil, day, packed); err == nil {
				t.Errorf("bit %d of byte %d is wrong, and nothing is noticed", bit, i)
			}
			packed[i] ^= 1 << bit
		}
	}
	for n := range packed {
		if _, err := unpack(nil, day, packed[:n]); err == nil {
			t.Errorf("%d bytes of %d are taken for all", n, len(packed))
		}
	}
	if _, err := unpack(nil, day+1, packed); err != nil {
		t.Errorf("nothing in it says which day it is, and yet: %v", err)
	}
}

// FuzzUnpack gives the bytes a checksum that fits: what has none is refused before anything else.
func FuzzUnpack(f *testing.F) {
	day, buckets := aDay()
	for _, list := range [][]history.Bucket{nil, buckets[:1], buckets[6:9], buckets} {
		packed := pack(day, list)
		f.Add(day, packed[:len(packed)-checksum])
	}
	f.Fuzz(func(t *testing.T, day int64, body []byte) {
		day %= 200_000 // the time of a file's own day column is as odd as that at most
		packed := binary.LittleEndian.AppendUint32(slices.Clone(body), crc32.Checksum(body, castagnoli))
		got, err := unpack(nil, day, packed)
		if err != nil {
			return
		}
		again, err := unpack(nil, day, pack(day, got))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, again); diff != "" {
			t.Errorf("(-once +twice):\n%s", diff)
		}
	})
}
