// Verifies rest-auth's access tokens inside nginx, with njs 0.7.9 or later. ES256 only, which is
// what a server signs with unless its signing_algorithm says otherwise. It does not read the list
// of revocations: a token of a session that has ended is good until it expires.

const issuer = 'rest-auth'; // the server's public_url, where it has one
const audience = issuer; // or one of its token_audience
const keys = 'http://127.0.0.1:8080/_rest_auth_keys';
const maximumLength = 4096;
const clockSlack = 60; // seconds by which the server's clock may be ahead

/** Answers nginx's auth_request: 204 with who it is, 401, or 503 when nobody can tell. */
async function verify(r) {
    const token = /^bearer +([^ ]+)$/i.exec(r.headersIn.Authorization || '');
    let set = null;
    try {
        if (token) set = await keySet();
    } catch (error) {
        r.error(`the keys could not be read: ${error.message}`);
        r.return(503);
        return;
    }
    const claims = token && await claimsOf(token[1], set);
    if (!claims) {
        r.headersOut['WWW-Authenticate'] = 'Bearer realm="Authentication Required"';
        r.return(401);
        return;
    }
    r.headersOut['Remote-User-Id'] = claims.sub;
    r.headersOut['Remote-Groups'] = (claims.roles || []).join(',');
    r.return(204);
}

async function keySet() {
    const answer = await ngx.fetch(keys);
    if (answer.status !== 200) throw new Error(`nginx answered ${answer.status}`);
    return await answer.json();
}

/** The claims of a good token, else null. */
async function claimsOf(token, set) {
    const parts = token.split('.');
    if (token.length > maximumLength || parts.length !== 3) return null;
    const header = parse(parts[0]);
    const signature = decode(parts[2]);
    if (!header || !signature || Object.keys(header).sort().join() !== 'alg,kid,typ') return null;
    if (header.typ !== 'at+jwt' && header.typ !== 'JWT') return null;
    const jwk = set.keys.find((jwk) => jwk.kid === header.kid);
    // What the key is for, not what the token says.
    if (!jwk || jwk.kty !== 'EC' || jwk.crv !== 'P-256' || jwk.alg !== 'ES256' || header.alg !== 'ES256') return null;
    // RFC 5480: the point on P-256.
    const head = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');
    const point = Buffer.concat([head, decode(jwk.x), decode(jwk.y)]);
    const key = await crypto.subtle.importKey('spki', point, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
    const data = Buffer.from(`${parts[0]}.${parts[1]}`);
    const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
    if (signature.length !== 64 || !await crypto.subtle.verify(algorithm, key, signature, data)) return null;
    const claims = parse(parts[1]);
    if (!claims || claims.iss !== issuer || [].concat(claims.aud).indexOf(audience) < 0) return null;
    const now = Date.now() / 1000;
    if (!Number.isInteger(claims.exp) || claims.exp <= now) return null;
    if (!Number.isInteger(claims.iat) || claims.iat > now + clockSlack) return null;
    return claims;
}

/** Base64url without padding, and no other spelling of the same bytes; else null. */
function decode(text) {
    const bytes = Buffer.from(text, 'base64url');
    return bytes.toString('base64url') === text ? bytes : null;
}

function parse(part) {
    try {
        const object = JSON.parse(decode(part).toString());
        return typeof object === 'object' ? object : null;
    } catch (error) {
        return null;
    }
}

export default { verify };
