#!/usr/bin/env node
// Verifies rest-auth's access tokens without asking for each: with its published keys and its list
// of revocations. Node 18 or later, no packages.
//
//     node verify.mjs https://auth.example.com < tokens
//
// reads one token from each line and prints one line of JSON for it: the claims, or {"error": ...}.
// The exit status is 0 when all were good, 1 when one was not.

import { createHmac, createPublicKey, verify } from 'node:crypto'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const requestTimeout = 2_000 // milliseconds, as all times here but those in tokens and lines
const keysLifetime = 300_000
const keysPause = 3_000 // between two fetches on behalf of unknown keys: anyone can name one
const revocationsInterval = 1_000
const revocationsBound = 5_000 // for how long they are believed when they cannot be read
const longestRevocation = 86_700 // seconds for which a line matters that does not say how long it does
const longestLife = 86_400 // seconds that a token lives at most
const clockSlack = 60 // seconds by which the server's clock may be ahead
const maximumLength = 4096
const types = ['at+jwt', 'JWT'] // whichever the server's token_type is
/** ID:SECRET of a client, where the server shows its list of revocations to clients only. */
const client = process.env.VERIFIER_CLIENT

/** The token is not good. To a client this is 401. */
export class Refused extends Error {}

/** Nobody can tell just now whether the token is good. To a client this is 503. */
export class Undecided extends Error {}

export class Verifier {
  #baseURL
  #audience
  #issuer
  #keys = new Map()
  #keysReadAt = -Infinity
  #readingKeys
  #last = 0
  #refused = new Map()
  #revocationsReadAt = -Infinity

  /**
   * `audience`: this service's name among the server's token_audience; the issuer where there is
   * none.
   */
  constructor(baseURL, audience) {
    this.#baseURL = baseURL.replace(/\/+$/, '')
    this.#audience = audience
  }

  /** Reads the revocations, now and from now on. */
  async start() {
    try {
      // The beginning counts: a line that came in the meantime may have been missed.
      const start = performance.now()
      while (await this.#readRevocations());
      this.#revocationsReadAt = start
      const now = Date.now() / 1000
      for (const [it, end] of this.#refused) if (end <= now) this.#refused.delete(it)
    } catch (error) {
      // Nothing to undo: what was read grows too old by itself.
      console.error(`the revocations could not be read: ${error.message}`)
    }
    setTimeout(() => this.start(), revocationsInterval).unref()
  }

  /**
   * The claims of a good token; throws `Refused` when it is not good, `Undecided` when that cannot
   * be told.
   */
  async verify(token) {
    if (performance.now() - this.#revocationsReadAt > revocationsBound) {
      throw new Undecided('the revocations have not been read for too long')
    }
    if (token.length > maximumLength) throw new Refused('too long')
    const parts = token.split('.')
    if (parts.length !== 3) throw new Refused('not a token')
    const [header, claims] = parts.slice(0, 2).map(parse)
    const signature = decode(parts[2])
    if (Object.keys(header).sort().join() !== 'alg,kid,typ' || !types.includes(header.typ)) {
      throw new Refused('not the header of an access token')
    }
    const key = await this.#key(header.kid)
    if (!key) throw new Refused('signed by an unknown key')
    // What the key is for, not what the token says.
    if (header.alg !== key.algorithm || !key.verifies(Buffer.from(`${parts[0]}.${parts[1]}`), signature)) {
      throw new Refused('the signature is wrong')
    }
    this.#check(claims)
    return claims
  }

  #check(claims) {
    const now = Date.now() / 1000
    if (claims.iss !== this.#issuer || ![claims.aud].flat().includes(this.#audience ?? this.#issuer)) {
      throw new Refused('from someone else, or for someone else')
    }
    if (typeof claims.sub !== 'string' || typeof claims.sid !== 'string') throw new Refused('of nobody')
    if (!Number.isInteger(claims.exp) || claims.exp <= now) throw new Refused('expired')
    if (!Number.isInteger(claims.iat) || claims.iat > now + clockSlack) throw new Refused('from the future')
    if (claims.exp - claims.iat > longestLife) throw new Refused('lives too long')
    const roles = (claims.roles ?? []).map((role) => subject({ sub: claims.sub, role: hidden(role, claims) }))
    if ([subject({ sub: claims.sub }), subject({ sid: claims.sid }), ...roles].some((it) => this.#refused.has(it))) {
      throw new Refused('revoked')
    }
  }

  async #key(id) {
    try {
      const age = () => performance.now() - this.#keysReadAt
      if (age() > keysLifetime || (!this.#keys.has(id) && age() > keysPause)) {
        await (this.#readingKeys ??= this.#readKeys().finally(() => (this.#readingKeys = undefined)))
      }
    } catch (error) {
      throw new Undecided('the keys could not be read', { cause: error })
    }
    return this.#keys.get(id)
  }

  async #readKeys() {
    const start = performance.now()
    this.#issuer ??= (await this.#get('/.well-known/oauth-authorization-server')).issuer
    const { keys } = await this.#get('/.well-known/jwks.json')
    this.#keys = new Map(keys.map((jwk) => [jwk.kid, publicKey(jwk)]).filter(([id, key]) => id && key))
    this.#keysReadAt = start
  }

  async #readRevocations() {
    const page = await this.#get(`/api/revocations?since=${this.#last}`)
    if (page.last < this.#last) {
      this.#last = 0 // another list: the server's database was restored from a backup
      return true
    }
    for (const line of page.revocations) {
      this.#refused.delete(subject(line))
      if (line.refused) this.#refused.set(subject(line), line.exp ?? line.at + longestRevocation)
    }
    this.#last = page.last
    return page.more
  }

  async #get(path) {
    const headers = client ? { authorization: `Basic ${Buffer.from(client).toString('base64')}` } : {}
    const answer = await fetch(this.#baseURL + path, {
      headers, redirect: 'error', signal: AbortSignal.timeout(requestTimeout),
    })
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`)
    return answer.json()
  }
}

/** What a line of the list, or a token, is about. */
function subject({ sid, sub, role }) {
  if (sid !== undefined) return JSON.stringify(['session', sid])
  if (sub === undefined) throw new Error('a revocation of an unknown kind')
  return JSON.stringify(role === undefined ? ['user', sub] : ['role', sub, role])
}

/** What stands for the role in the list: only who has a token with the key can tell. */
function hidden(role, claims) {
  if (claims.roles_key === undefined) return role
  return createHmac('sha256', claims.roles_key).update(role).digest('base64url')
}

/** Each kind of key is used with one algorithm; keys of other kinds are for someone else. */
function publicKey(jwk) {
  const [algorithm, digest, options] = {
    'EC P-256': ['ES256', 'sha256', { dsaEncoding: 'ieee-p1363' }],
    'OKP Ed25519': ['EdDSA', null, {}],
    RSA: ['RS256', 'sha256', {}],
  }[[jwk.kty, jwk.crv].filter(Boolean).join(' ')] ?? []
  if (!algorithm || jwk.alg !== algorithm || jwk.use !== 'sig') return null
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  return { algorithm, verifies: (data, signature) => verify(digest, data, { key, ...options }, signature) }
}

/** Base64url without padding, and no other spelling of the same bytes. */
function decode(text) {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) throw new Refused('not a token')
  return bytes
}

function parse(part) {
  try {
    const object = JSON.parse(decode(part).toString())
    if (typeof object === 'object' && object !== null) return object
  } catch {}
  throw new Refused('not a token')
}

async function main([baseURL, ...rest]) {
  if (!baseURL || rest.length > 0) {
    console.error('usage: verify.mjs BASE_URL < tokens')
    process.exit(2)
  }
  const verifier = new Verifier(baseURL, process.env.VERIFIER_AUDIENCE)
  await verifier.start()
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      console.log(JSON.stringify(await verifier.verify(line.trim())))
    } catch (error) {
      if (!(error instanceof Refused || error instanceof Undecided)) throw error
      console.log(JSON.stringify({ error: error.message }))
      process.exitCode = 1
    }
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main(process.argv.slice(2))
