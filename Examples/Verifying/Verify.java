// Verifies rest-auth's access tokens with its published keys. Java 17 or later, and Gson to read
// JSON.
//
//     java -cp gson.jar Verify.java https://auth.example.com < tokens
//
// reads one token from each line and prints one line of JSON for it: the claims, or {"error": ...}.
// The exit status is 0 when all were good, 1 when one was not. It does not read the list of
// revocations: a token of a session that has ended is good until it expires.

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.security.spec.RSAPublicKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;

public final class Verify {
    static final int MAXIMUM_LENGTH = 4096;
    static final long KEYS_LIFETIME = Duration.ofSeconds(300).toNanos();
    /** Between two fetches on behalf of unknown keys: anyone can name one. */
    static final long KEYS_PAUSE = Duration.ofSeconds(3).toNanos();
    /** Seconds by which the server's clock may be ahead. */
    static final int CLOCK_SLACK = 60;

    /** The token is not good. To a client this is 401. */
    static final class Refused extends Exception {
        Refused(String reason) { super(reason); }
    }

    /** Nobody can tell just now whether the token is good. To a client this is 503. */
    static final class Undecided extends Exception {
        Undecided(Throwable cause) { super("the keys could not be read", cause); }
    }

    record Key(String algorithm, String signature, PublicKey key) {
        boolean verifies(byte[] data, byte[] bytes) {
            try {
                var verifier = Signature.getInstance(signature);
                verifier.initVerify(key);
                verifier.update(data);
                return verifier.verify(bytes);
            } catch (GeneralSecurityException error) {
                return false;
            }
        }
    }

    private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();
    private final String baseURL;
    private final String audience;
    private String issuer;
    private Map<String, Key> keys = Map.of();
    private Long readAt;

    /** The audience is the issuer where it is null. */
    Verify(String baseURL, String audience) {
        this.baseURL = baseURL.replaceAll("/+$", "");
        this.audience = audience;
    }

    /** The claims of a good token. */
    JsonObject verify(String token) throws Refused, Undecided {
        var parts = token.split("\\.", -1);
        if (token.length() > MAXIMUM_LENGTH || parts.length != 3) throw new Refused("not a token");
        var header = object(parts[0]);
        var claims = object(parts[1]);
        var signature = decode(parts[2]);
        var type = text(header.get("typ"));
        if (header.size() != 3 || !("at+jwt".equals(type) || "JWT".equals(type))) {
            throw new Refused("not an access token");
        }
        var key = key(text(header.get("kid")));
        // What the key is for, not what the token says.
        if (key == null || !key.algorithm.equals(text(header.get("alg")))
            || !key.verifies((parts[0] + "." + parts[1]).getBytes(StandardCharsets.US_ASCII), signature)) {
            throw new Refused("the signature is wrong");
        }
        if (!issuer.equals(text(claims.get("iss")))
            || !isFor(claims.get("aud"), audience == null ? issuer : audience)) {
            throw new Refused("from someone else, or for someone else");
        }
        if (text(claims.get("sub")) == null) throw new Refused("of nobody");
        var now = System.currentTimeMillis() / 1000.0;
        if (seconds(claims.get("exp")) <= now || seconds(claims.get("iat")) > now + CLOCK_SLACK) {
            throw new Refused("expired, or from the future");
        }
        return claims;
    }

    private synchronized Key key(String id) throws Undecided {
        var age = readAt == null ? Long.MAX_VALUE : System.nanoTime() - readAt;
        if (age > KEYS_LIFETIME || !keys.containsKey(id == null ? "" : id) && age > KEYS_PAUSE) {
            try {
                var start = System.nanoTime();
                issuer = get("/.well-known/openid-configuration").get("issuer").getAsString();
                var read = new HashMap<String, Key>();
                for (var jwk : get("/.well-known/jwks.json").getAsJsonArray("keys")) {
                    var key = publicKey(jwk.getAsJsonObject());
                    if (key != null) read.put(text(jwk.getAsJsonObject().get("kid")), key);
                }
                keys = read;
                readAt = start;
            } catch (Exception error) {
                throw new Undecided(error);
            }
        }
        return id == null ? null : keys.get(id);
    }

    private JsonObject get(String path) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(baseURL + path)).timeout(Duration.ofSeconds(2)).build();
        var answer = http.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) throw new IllegalStateException(path + " answered " + answer.statusCode());
        return JsonParser.parseString(answer.body()).getAsJsonObject();
    }

    /** Each kind of key is used with one algorithm; keys of other kinds are for someone else. */
    private static Key publicKey(JsonObject jwk) throws GeneralSecurityException, Refused {
        var kind = text(jwk.get("kty")) + " " + text(jwk.get("alg")) + " " + text(jwk.get("use"));
        switch (kind) {
            case "EC ES256 sig":
                var curve = AlgorithmParameters.getInstance("EC");
                curve.init(new ECGenParameterSpec("secp256r1"));
                var point = new ECPoint(number(jwk, "x"), number(jwk, "y"));
                var spec = new ECPublicKeySpec(point, curve.getParameterSpec(ECParameterSpec.class));
                return new Key(
                    "ES256", "SHA256withECDSAinP1363Format", KeyFactory.getInstance("EC").generatePublic(spec));
            case "OKP EdDSA sig":
                // RFC 8410 section 4: what stands before the 32 bytes of the key.
                var head = HexFormat.of().parseHex("302a300506032b6570032100");
                var bytes = decode(text(jwk.get("x")));
                var encoded = Arrays.copyOf(head, head.length + bytes.length);
                System.arraycopy(bytes, 0, encoded, head.length, bytes.length);
                var form = new X509EncodedKeySpec(encoded);
                return new Key("EdDSA", "Ed25519", KeyFactory.getInstance("Ed25519").generatePublic(form));
            case "RSA RS256 sig":
                var numbers = new RSAPublicKeySpec(number(jwk, "n"), number(jwk, "e"));
                return new Key("RS256", "SHA256withRSA", KeyFactory.getInstance("RSA").generatePublic(numbers));
            default:
                return null;
        }
    }

    private static BigInteger number(JsonObject jwk, String name) throws Refused {
        return new BigInteger(1, decode(text(jwk.get(name))));
    }

    private static boolean isFor(JsonElement claim, String audience) {
        if (claim instanceof JsonArray list) {
            for (var one : list) if (audience.equals(text(one))) return true;
        }
        return audience.equals(text(claim));
    }

    /** Null for what is no string. */
    private static String text(JsonElement element) {
        return element instanceof JsonPrimitive primitive && primitive.isString() ? primitive.getAsString() : null;
    }

    private static long seconds(JsonElement element) throws Refused {
        try {
            if (element instanceof JsonPrimitive primitive && primitive.isNumber()) {
                return primitive.getAsBigDecimal().longValueExact();
            }
        } catch (ArithmeticException error) {
            // Not whole, or beyond all times.
        }
        throw new Refused("not a time");
    }

    private static JsonObject object(String part) throws Refused {
        try {
            var element = JsonParser.parseString(new String(decode(part), StandardCharsets.UTF_8));
            if (element.isJsonObject()) return element.getAsJsonObject();
        } catch (RuntimeException error) {
            // No JSON.
        }
        throw new Refused("not a token");
    }

    /** Base64url without padding, and no other spelling of the same bytes. */
    private static byte[] decode(String text) throws Refused {
        try {
            var bytes = Base64.getUrlDecoder().decode(text);
            if (Base64.getUrlEncoder().withoutPadding().encodeToString(bytes).equals(text)) return bytes;
        } catch (IllegalArgumentException error) {
            // No base64url.
        }
        throw new Refused("not a token");
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 1) {
            System.err.println("usage: java -cp gson.jar Verify.java BASE_URL < tokens");
            System.exit(2);
        }
        var verifier = new Verify(arguments[0], System.getenv("VERIFIER_AUDIENCE"));
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        var status = 0;
        for (var line = lines.readLine(); line != null; line = lines.readLine()) {
            try {
                output.println(verifier.verify(line.strip()));
            } catch (Refused | Undecided error) {
                var answer = new JsonObject();
                answer.addProperty("error", error.getMessage());
                output.println(answer);
                status = 1;
            }
        }
        System.exit(status);
    }
}
