package identity_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"

	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
)

func sha256File(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func jwtParams() jwtsvid.Params { return jwtsvid.Params{Audience: "anyone"} }
