// Signs somebody in with openid-client, as an application would.
//
// ISSUER, CLIENT_ID, REDIRECT_URI and SCOPE come from the environment. It prints {"authorize": URL} and waits for one line:
// the address that the browser came back to. Then it redeems the code, asks userinfo, refreshes, and prints what it has
// got, every token checked by the library. With `client-credentials`, CLIENT_SECRET gets a token for itself.

import * as client from 'openid-client';
import { createInterface } from 'node:readline/promises';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, SCOPE } = process.env;

function print(value) {
  console.log(JSON.stringify(value));
}

async function discover() {
  const authentication = CLIENT_SECRET ? client.ClientSecretBasic(CLIENT_SECRET) : client.None();
  return client.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET, authentication);
}

async function nextLine() {
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) {
    lines.close();
    return line.trim();
  }
  throw new Error('nobody said where the browser came back to');
}

async function signIn() {
  const config = await discover();
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  const authorize = client.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT_URI,
    scope: SCOPE,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  });
  print({ authorize: authorize.href });
  const back = new URL(await nextLine());
  const tokens = await client.authorizationCodeGrant(config, back, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  });
  const claims = tokens.claims();
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
  await client.tokenRevocation(config, refreshed.refresh_token);
  let afterRevocation = 'accepted';
  try {
    await client.refreshTokenGrant(config, refreshed.refresh_token);
  } catch (error) {
    afterRevocation = error.error;
  }
  print({ claims, userinfo, refreshed: refreshed.claims(), after_revocation: afterRevocation });
}

async function clientCredentials() {
  const config = await discover();
  const tokens = await client.clientCredentialsGrant(config, { scope: SCOPE });
  const active = await client.tokenIntrospection(config, tokens.access_token);
  print({ token_type: tokens.token_type, active });
}

const steps = { code: signIn, 'client-credentials': clientCredentials };
try {
  await steps[process.argv[2]]();
} catch (error) {
  console.error(error, error?.cause ?? '');
  process.exitCode = 1;
}
