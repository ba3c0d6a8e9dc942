#!/usr/bin/env node
// Registers a user with rest-auth where that takes work or an invitation. `register` is for pages
// in a browser just as well, over HTTPS; as a command, Node 20 or later, no packages:
//
//     printf 'miguel\npython\nINVITATION\n' | node register.mjs https://auth.example.com
//
// reads the user name, the password and, where one is needed, the code of an invitation, one a
// line. Prints the URL of the new user, or why there is none; then the exit status is 1.

const BATCH = 1024

/**
 * The number for which SHA-256 of the challenge, a dot and the number begins with that many zero
 * bits.
 */
export async function solve(challenge, difficulty) {
  const encoder = new TextEncoder()
  for (let first = 0; ; first += BATCH) {
    // Many at once: to wait for each alone takes longer than its hash.
    const texts = Array.from({ length: BATCH }, (_, index) => encoder.encode(`${challenge}.${first + index}`))
    const digests = await Promise.all(texts.map((text) => crypto.subtle.digest('SHA-256', text)))
    const found = digests.findIndex((digest) => Math.clz32(new DataView(digest).getUint32(0)) >= difficulty)
    if (found >= 0) return String(first + found)
  }
}

/**
 * Registers; `fields` has `username`, `password` and, where one is needed, `invitation`. The answer
 * is that of `POST /api/users`.
 */
export async function register(baseURL, fields) {
  const work = await fetch(`${baseURL}/api/challenge`)
  // 404 when none is asked for.
  if (work.ok) {
    const { challenge, difficulty } = await work.json()
    fields = { ...fields, challenge, nonce: await solve(challenge, difficulty) }
  }
  return fetch(`${baseURL}/api/users`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(fields),
  })
}

async function main([baseURL, ...rest]) {
  if (!baseURL || rest.length > 0) {
    console.error('usage: register.mjs BASE_URL < lines')
    process.exit(2)
  }
  const { readFileSync } = await import('node:fs')
  const [username, password, invitation] = readFileSync(0, 'utf8').split('\n')
  const answer = await register(baseURL, { username, password, invitation: invitation || null })
  console.log(answer.ok ? answer.headers.get('location') : (await answer.json()).code)
  process.exitCode = answer.ok ? 0 : 1
}

if (globalThis.process?.argv[1]?.endsWith('register.mjs')) await main(process.argv.slice(2))
