// Verifies rest-auth's access tokens with its published keys. Go 1.18 or later, no packages.
//
//	go run verify.go https://auth.example.com < tokens
//
// reads one token from each line and prints one line of JSON for it: the claims, or {"error": ...}.
// The exit status is 0 when all were good, 1 when one was not. It does not read the list of
// revocations: a token of a session that has ended is good until it expires.
package main

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	maximumLength = 4096
	keysLifetime  = 300 * time.Second
	keysPause     = 3 * time.Second // between two fetches on behalf of unknown keys: anyone can name one
	clockSlack    = 60              // seconds by which the server's clock may be ahead
)

// ErrUndecided says that nobody can tell just now whether the token is good. To a client it is 503;
// any other error is 401.
var ErrUndecided = errors.New("the keys could not be read")

type object = map[string]any

type key struct {
	algorithm string
	verifies  func(data, signature []byte) bool
}

// Verifier keeps the server's keys. The audience is the issuer where it is empty.
type Verifier struct {
	BaseURL, Audience string

	mutex  sync.Mutex
	issuer string
	keys   map[string]key
	readAt time.Time
}

// Verify returns the claims of a good token.
func (v *Verifier) Verify(token string) (object, error) {
	parts := strings.Split(token, ".")
	if len(token) > maximumLength || len(parts) != 3 {
		return nil, errors.New("not a token")
	}
	header, claims := decodeObject(parts[0]), decodeObject(parts[1])
	signature, err := decode(parts[2])
	typ := header["typ"]
	if claims == nil || err != nil || len(header) != 3 || typ != "at+jwt" && typ != "JWT" {
		return nil, errors.New("not an access token")
	}
	id, _ := header["kid"].(string)
	key, issuer, err := v.key(id)
	if err != nil {
		return nil, ErrUndecided
	}
	// What the key is for, not what the token says.
	if key.verifies == nil || header["alg"] != key.algorithm ||
		!key.verifies([]byte(parts[0]+"."+parts[1]), signature) {
		return nil, errors.New("the signature is wrong")
	}
	audience := v.Audience
	if audience == "" {
		audience = issuer
	}
	if claims["iss"] != issuer || !isFor(claims["aud"], audience) {
		return nil, errors.New("from someone else, or for someone else")
	}
	if _, isText := claims["sub"].(string); !isText {
		return nil, errors.New("of nobody")
	}
	now := float64(time.Now().UnixNano()) / 1e9
	exp, iat := seconds(claims["exp"]), seconds(claims["iat"])
	if !(exp > now) || !(iat <= now+clockSlack) {
		return nil, errors.New("expired, or from the future")
	}
	return claims, nil
}

func (v *Verifier) key(id string) (key, string, error) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	age := time.Since(v.readAt)
	if _, isKnown := v.keys[id]; age > keysLifetime || !isKnown && age > keysPause {
		if err := v.read(); err != nil {
			return key{}, "", err
		}
	}
	return v.keys[id], v.issuer, nil
}

func (v *Verifier) read() error {
	start := time.Now()
	var metadata struct{ Issuer string }
	var set struct{ Keys []map[string]string }
	if err := get(v.BaseURL+"/.well-known/openid-configuration", &metadata); err != nil {
		return err
	}
	if err := get(v.BaseURL+"/.well-known/jwks.json", &set); err != nil {
		return err
	}
	keys := map[string]key{}
	for _, jwk := range set.Keys {
		if key := publicKey(jwk); key.verifies != nil {
			keys[jwk["kid"]] = key
		}
	}
	v.issuer, v.keys, v.readAt = metadata.Issuer, keys, start
	return nil
}

var client = http.Client{
	Timeout:       2 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("redirected") },
}

func get(url string, value any) error {
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return errors.New(answer.Status)
	}
	return json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(value)
}

// Each kind of key is used with one algorithm; keys of other kinds are for someone else.
func publicKey(jwk map[string]string) key {
	number := func(name string) *big.Int { return new(big.Int).SetBytes(bytes(jwk[name])) }
	digest := func(data []byte) []byte { sum := sha256.Sum256(data); return sum[:] }
	switch jwk["kty"] + " " + jwk["crv"] + " " + jwk["alg"] + " " + jwk["use"] {
	case "EC P-256 ES256 sig":
		public := ecdsa.PublicKey{Curve: elliptic.P256(), X: number("x"), Y: number("y")}
		if !public.Curve.IsOnCurve(public.X, public.Y) {
			return key{}
		}
		return key{"ES256", func(data, signature []byte) bool {
			if len(signature) != 64 {
				return false
			}
			r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
			return ecdsa.Verify(&public, digest(data), r, s)
		}}
	case "OKP Ed25519 EdDSA sig":
		public := ed25519.PublicKey(bytes(jwk["x"]))
		if len(public) != ed25519.PublicKeySize {
			return key{}
		}
		return key{"EdDSA", func(data, signature []byte) bool { return ed25519.Verify(public, data, signature) }}
	case "RSA  RS256 sig":
		public := rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}
		return key{"RS256", func(data, signature []byte) bool {
			return rsa.VerifyPKCS1v15(&public, crypto.SHA256, digest(data), signature) == nil
		}}
	}
	return key{}
}

func isFor(claim any, audience string) bool {
	if list, isList := claim.([]any); isList {
		for _, one := range list {
			if one == audience {
				return true
			}
		}
	}
	return claim == audience
}

// Whole seconds; not a number for anything else.
func seconds(claim any) float64 {
	if number, isNumber := claim.(float64); isNumber && number == math.Trunc(number) {
		return number
	}
	return math.NaN()
}

// Base64url without padding, and no other spelling of the same bytes.
func decode(text string) ([]byte, error) {
	bytes, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil && base64.RawURLEncoding.EncodeToString(bytes) != text {
		err = errors.New("not base64url")
	}
	return bytes, err
}

func bytes(text string) []byte {
	bytes, _ := decode(text)
	return bytes
}

// Nothing for what is no object.
func decodeObject(text string) object {
	var object object
	if bytes, err := decode(text); err != nil || json.Unmarshal(bytes, &object) != nil {
		return nil
	}
	return object
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: verify BASE_URL < tokens")
		os.Exit(2)
	}
	verifier := Verifier{BaseURL: strings.TrimRight(os.Args[1], "/"), Audience: os.Getenv("VERIFIER_AUDIENCE")}
	status := 0
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		claims, err := verifier.Verify(strings.TrimSpace(lines.Text()))
		if err != nil {
			claims, status = object{"error": err.Error()}, 1
		}
		line, _ := json.Marshal(claims)
		fmt.Println(string(line))
	}
	os.Exit(status)
}
