// The certified provider `oidc-provider`, set up as a provider that people sign in to Kubernetes with.
//
//     node server.js SETTINGS
//
// SETTINGS is one JSON object:
//   tls             {certificate, key}: PEM files; without it, plain HTTP
//   requests        the file that each request is appended to, one JSON object a line
//   people          [{name, password, email, groups}]
//   clients         client metadata (OpenID Connect Dynamic Client Registration 1.0, section 2)
//   hideChallenges  true: discovery says nothing of PKCE
//
// When it serves, it prints its issuer on one line. It listens on 127.0.0.1, on a free port, and keeps everything in
// memory.

import { generateKeyPairSync } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';

import { Provider } from 'oidc-provider';

import { password, passwordParameters } from './password.js';

const HOUR = 3600;

const settings = JSON.parse(process.argv[2]);
const people = new Map(settings.people.map((person) => [person.name, person]));

const server = settings.tls
  ? https.createServer({ cert: readFileSync(settings.tls.certificate), key: readFileSync(settings.tls.key) })
  : http.createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `${settings.tls ? 'https' : 'http'}://localhost:${server.address().port}`;
  server.on('request', serve(issuer).callback());
  console.log(issuer);
});

function serve(issuer) {
  const provider = new Provider(issuer, {
    clients: settings.clients,
    claims: { openid: ['sub', 'groups'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
    // The cluster reads the ID token and nothing else.
    conformIdTokenClaims: false,
    findAccount: (_, id) => account(id),
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    jwks: { keys: [signingKey()] },
    pkce: { required: () => false },
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    // The first refresh brings another refresh token. After that it stays, and the answers leave it out.
    rotateRefreshToken: (ctx) => !isSettled(ctx.oidc.entities.RefreshToken),
    ttl: {
      AccessToken: HOUR,
      ClientCredentials: HOUR,
      DeviceCode: HOUR,
      Grant: 24 * HOUR,
      IdToken: HOUR,
      Interaction: HOUR,
      RefreshToken: 24 * HOUR,
      Session: 24 * HOUR,
    },
    cookies: { keys: ['of no worth: it lives as long as a test'] },
    renderError: (ctx, out) => {
      ctx.type = 'html';
      ctx.body = `<p id="error">${escape(out.error)}: ${escape(out.error_description)}</p>`;
    },
  });
  provider.registerGrantType('password', password(provider, people, account), passwordParameters);
  // For plain HTTP on loopback any port is allowed already (RFC 8252, section 7.3).
  const { redirectUriAllowed } = provider.Client.prototype;
  provider.Client.prototype.redirectUriAllowed = function allowed(uri) {
    return /^https:\/\/localhost:\d+$/.test(uri) || redirectUriAllowed.call(this, uri);
  };
  provider.use(observed);
  provider.on('server_error', (_, error) => console.error(error));
  return provider;
}

// Writes down what was asked, before the answer is sent, so that whoever has the answer can read it.
async function observed(ctx, next) {
  await next();
  const route = ctx.oidc?.route;
  if (route === 'discovery' && settings.hideChallenges) {
    delete ctx.body.code_challenge_methods_supported;
  }
  if (ctx.oidc?.params?.grant_type === 'refresh_token' && ctx.status === 200 && !ctx.oidc.entities.RotatedRefreshToken) {
    delete ctx.body.refresh_token;
  }
  if (route === 'device_authorization' && ctx.status === 200) {
    // Tests need not wait the usual five seconds between two questions.
    ctx.body.interval = 1;
  }
  const seen = {
    route: route ?? ctx.path,
    method: ctx.method,
    status: ctx.status,
    query: ctx.query,
    form: ctx.oidc?.body ?? {},
    authorization: ctx.get('authorization').split(' ')[0],
  };
  appendFileSync(settings.requests, `${JSON.stringify(seen)}\n`);
}

function isSettled(refreshToken) {
  return (refreshToken.rotations ?? 0) > 0;
}

function account(id) {
  const person = people.get(id);
  return person && {
    accountId: id,
    claims: () => ({
      sub: id,
      name: id,
      preferred_username: id,
      email: person.email,
      email_verified: true,
      groups: person.groups,
    }),
  };
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' };
}

function escape(text) {
  return String(text ?? '').replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
