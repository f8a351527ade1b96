package auth

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// md5Prefix stands before the hash in pg_authid and on the wire.
const md5Prefix = "md5"

// isMD5Hash is the test of PostgreSQL's get_password_type: the prefix and 32 lower-case digits.
func isMD5Hash(text string) bool {
	digits, ok := strings.CutPrefix(text, md5Prefix)
	return ok && len(digits) == hex.EncodedLen(md5.Size) && strings.Trim(digits, "0123456789abcdef") == ""
}

// md5Digits is the hash that stands for a password: of the password, salted with the user's name.
func md5Digits(password, user string) string {
	return md5Hex(password, user)
}

// md5Answer is what a client sends for the server's four-byte salt.
func md5Answer(digits string, salt []byte) string {
	return md5Prefix + md5Hex(digits, string(salt))
}

func md5Hex(text, salt string) string {
	sum := md5.Sum([]byte(text + salt))
	return hex.EncodeToString(sum[:])
}

func equalConstantTime(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
