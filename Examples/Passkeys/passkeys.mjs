// Passkeys in a page: a signed-in user adds one, and signs in with it from then on.
async function post(path, body, token) {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) }
  const answer = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) })
  const json = await answer.json()
  if (!answer.ok) throw Object.assign(new Error(json.detail), json)
  return json
}

async function use(request, more) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await post('/api/passkeys/options', request))
  return navigator.credentials.get({ publicKey, ...more })
}

// Adds one, if the user gave the password or a factor in the last 15 minutes.
export async function addPasskey(name, token) {
  const options = await post('/api/me/passkeys/options', {}, token)
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options)
  return post('/api/me/passkeys', { name, credential: await navigator.credentials.create({ publicKey }) }, token)
}

// Signs in, in the place of the name and the password.
export const signIn = async more => post('/api/tokens', { credential: await use({}, more) })

// The second step after `mfa_required`.
export const answer = async ticket => post('/api/tokens', { ticket, credential: await use({ ticket }) })

// Offers passkeys in a field with autocomplete="username webauthn", until one is chosen or `signal`
// ends it.
export async function offer(signal) {
  for (;;) {
    // A challenge is good for five minutes.
    const round = AbortSignal.any([signal, AbortSignal.timeout(240_000)])
    try { return await signIn({ mediation: 'conditional', signal: round }) } catch (problem) {
      if (problem.name !== 'TimeoutError') throw problem
    }
  }
}
