#!/usr/bin/env php
<?php
// Verifies rest-auth's access tokens with its published keys. PHP 8.1 or later with openssl, and
// sodium for EdDSA; no packages.
//
//     php verify.php https://auth.example.com < tokens
//
// reads one token from each line and prints one line of JSON for it: the claims, or {"error": ...}.
// The exit status is 0 when all were good, 1 when one was not. It does not read the list of
// revocations: a token of a session that has ended is good until it expires.

declare(strict_types=1);

/** The token is not good. To a client this is 401. */
class Refused extends Exception {}

/** Nobody can tell just now whether the token is good. To a client this is 503. */
class Undecided extends Exception {}

final class Verifier
{
    private const MAXIMUM_LENGTH = 4096;
    private const KEYS_LIFETIME = 300;
    private const KEYS_PAUSE = 3; // seconds between two fetches on behalf of unknown keys: anyone can name one
    private const CLOCK_SLACK = 60; // seconds by which the server's clock may be ahead

    private string $issuer = '';
    private array $keys = [];
    private float $readAt = -INF;

    /** The audience is the issuer where there is none. */
    public function __construct(private string $baseURL, private ?string $audience = null)
    {
        $this->baseURL = rtrim($baseURL, '/');
    }

    /**
     * The claims of a good token. A worker that lives for one request should keep the keys in APCu
     * or a file.
     */
    public function verify(string $token): array
    {
        $parts = explode('.', $token);
        if (strlen($token) > self::MAXIMUM_LENGTH || count($parts) !== 3) {
            throw new Refused('not a token');
        }
        [$header, $claims, $signature] = [self::object($parts[0]), self::object($parts[1]), self::decode($parts[2])];
        if (count($header) !== 3 || !in_array($header['typ'] ?? null, ['at+jwt', 'JWT'], true)) {
            throw new Refused('not an access token');
        }
        $key = $this->key(is_string($header['kid'] ?? null) ? $header['kid'] : '');
        // What the key is for, not what the token says.
        if ($key === null || ($header['alg'] ?? null) !== $key['alg']
            || !self::isSignature($signature, "$parts[0].$parts[1]", $key)) {
            throw new Refused('the signature is wrong');
        }
        $audience = $this->audience ?? $this->issuer;
        if (($claims['iss'] ?? null) !== $this->issuer || !in_array($audience, (array) ($claims['aud'] ?? []), true)) {
            throw new Refused('from someone else, or for someone else');
        }
        [$exp, $iat] = [$claims['exp'] ?? null, $claims['iat'] ?? null];
        if (!is_string($claims['sub'] ?? null) || !is_int($exp) || !is_int($iat)) {
            throw new Refused('not the claims of an access token');
        }
        if ($exp <= microtime(true) || $iat > time() + self::CLOCK_SLACK) {
            throw new Refused('expired, or from the future');
        }
        return $claims;
    }

    private function key(string $id): ?array
    {
        $age = microtime(true) - $this->readAt;
        if ($age > self::KEYS_LIFETIME || !isset($this->keys[$id]) && $age > self::KEYS_PAUSE) {
            $start = microtime(true);
            $this->issuer = $this->get('/.well-known/openid-configuration')['issuer'];
            $this->keys = array_column($this->get('/.well-known/jwks.json')['keys'], null, 'kid');
            $this->readAt = $start;
        }
        return $this->keys[$id] ?? null;
    }

    private function get(string $path): array
    {
        $options = ['http' => ['timeout' => 2, 'follow_location' => 0]];
        $text = @file_get_contents($this->baseURL . $path, false, stream_context_create($options));
        $answer = $text === false ? null : json_decode($text, true);
        return is_array($answer) ? $answer : throw new Undecided('the keys could not be read');
    }

    /** Each kind of key is used with one algorithm; keys of other kinds are for someone else. */
    private static function isSignature(string $signature, string $data, array $jwk): bool
    {
        $part = fn (string $name): string => self::decode($jwk[$name] ?? '');
        switch ("$jwk[kty] $jwk[alg] $jwk[use]") {
            case 'EC ES256 sig':
                if (strlen($signature) !== 64) {
                    return false;
                }
                // RFC 5480: the point on P-256, and RFC 3279: the two numbers of the signature.
                $head = hex2bin('3059301306072a8648ce3d020106082a8648ce3d030107034200') . "\x04";
                $numbers = array_map(self::integer(...), str_split($signature, 32));
                return self::isSignatureOf($head . $part('x') . $part('y'), $data, self::sequence(implode($numbers)));
            case 'OKP EdDSA sig':
                return strlen($signature) === 64 && sodium_crypto_sign_verify_detached($signature, $data, $part('x'));
            case 'RSA RS256 sig':
                $numbers = self::sequence(self::integer($part('n')) . self::integer($part('e')));
                $head = hex2bin('300d06092a864886f70d0101010500');
                $bits = "\x03" . self::length(strlen($numbers) + 1) . "\x00" . $numbers;
                return self::isSignatureOf(self::sequence($head . $bits), $data, $signature);
        }
        return false;
    }

    private static function isSignatureOf(string $key, string $data, string $signature): bool
    {
        $pem = "-----BEGIN PUBLIC KEY-----\n" . chunk_split(base64_encode($key), 64) . "-----END PUBLIC KEY-----\n";
        return openssl_verify($data, $signature, $pem, OPENSSL_ALGO_SHA256) === 1;
    }

    private static function integer(string $bytes): string
    {
        $bytes = ltrim($bytes, "\x00");
        $bytes = $bytes === '' || ord($bytes[0]) > 0x7f ? "\x00$bytes" : $bytes;
        return "\x02" . self::length(strlen($bytes)) . $bytes;
    }

    private static function sequence(string $bytes): string
    {
        return "\x30" . self::length(strlen($bytes)) . $bytes;
    }

    private static function length(int $length): string
    {
        if ($length < 0x80) {
            return chr($length);
        }
        $bytes = ltrim(pack('N', $length), "\x00");
        return chr(0x80 | strlen($bytes)) . $bytes;
    }

    private static function object(string $part): array
    {
        $object = json_decode(self::decode($part), false, 32);
        if (!$object instanceof stdClass) throw new Refused('not a token');
        return json_decode(self::decode($part), true, 32);
    }

    /** Base64url without padding, and no other spelling of the same bytes. */
    private static function decode(string $text): string
    {
        $bytes = base64_decode(strtr($text, '-_', '+/'), true);
        $again = $bytes === false ? '' : rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
        return $again === $text ? $bytes : throw new Refused('not a token');
    }
}

if (realpath($_SERVER['SCRIPT_FILENAME']) === __FILE__) {
    if ($argc !== 2) {
        fwrite(STDERR, "usage: verify.php BASE_URL < tokens\n");
        exit(2);
    }
    $verifier = new Verifier($argv[1], getenv('VERIFIER_AUDIENCE') ?: null);
    $status = 0;
    while (($line = fgets(STDIN)) !== false) {
        try {
            $answer = $verifier->verify(trim($line));
        } catch (Refused | Undecided $error) {
            [$answer, $status] = [['error' => $error->getMessage()], 1];
        }
        echo json_encode($answer, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE), "\n";
    }
    exit($status);
}
