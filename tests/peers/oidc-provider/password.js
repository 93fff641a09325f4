// The resource owner password credentials grant (RFC 6749, section 4.3), which oidc-provider leaves to its users.

import { errors } from 'oidc-provider';

export const passwordParameters = ['username', 'password', 'scope'];

export function password(provider, people, findAccount) {
  return async function handle(ctx) {
    const { client, params } = ctx.oidc;
    const person = people.get(params.username);
    if (person === undefined || person.password !== params.password) {
      throw new errors.InvalidGrant('wrong user name or password');
    }
    const scope = params.scope ?? 'openid';
    const account = findAccount(params.username);
    const grant = new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
    grant.addOIDCScope(scope);
    const shared = { accountId: account.accountId, client, grantId: await grant.save(), gty: 'password', scope };
    const accessToken = new provider.AccessToken(shared);
    const idToken = new provider.IdToken(account.claims(), { ctx });
    idToken.scope = scope;
    ctx.body = {
      access_token: await accessToken.save(),
      expires_in: accessToken.expiration,
      id_token: await idToken.issue({ use: 'idtoken' }),
      refresh_token: await new provider.RefreshToken({ ...shared, rotations: 0 }).save(),
      scope,
      token_type: accessToken.tokenType,
    };
  };
}
