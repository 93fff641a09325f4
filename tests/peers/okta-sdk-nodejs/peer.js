// Manages an organization with Okta's own SDK for Node, as the set-up of a cluster does.
//
//     run setup|again|destroy
//
// `setup` makes a person, two groups, an application and an authorization server; `again` finds, checks, changes and
// checks them; `destroy` removes them. Each prints one JSON line about them. What goes wrong is told on standard error,
// and the exit code is 1.
//
// Environment: OKTA_ORG_URL, OKTA_API_TOKEN, CA_FILE (PEM, trusted), USER_LOGIN, USER_PASSWORD;
// GROUP_PREFIX is what the names of the groups begin with (k8s-).

import { isDeepStrictEqual } from 'node:util';

import okta from '@okta/okta-sdk-nodejs';

// With a prefix of its own, a peer works in an organization that has groups for a cluster already.
const GROUP_PREFIX = process.env.GROUP_PREFIX || 'k8s-';
const ADMINS = `${GROUP_PREFIX}admins`;
const RESTRICTED = `${GROUP_PREFIX}restricted-users`;
const APP_LABEL = 'k8s OIDC';
const REDIRECT_URI = 'http://localhost:8000';
const SERVER_NAME = `${GROUP_PREFIX}auth`;
const CLAIM_NAME = 'groups';
const POLICY_NAME = 'k8s_policy';
const RULE_NAME = 'AuthCode + PKCE';
// In the profile of a person that `setup` made: `destroy` removes no other.
const MARK = 'okta-sdk-nodejs';

const { OKTA_ORG_URL, OKTA_API_TOKEN, USER_LOGIN, USER_PASSWORD } = process.env;

// The SDK sends everything to a proxy that these name, also what goes to this machine.
delete process.env.https_proxy;
delete process.env.HTTPS_PROXY;

// No cache: what is checked is what the server answers.
const client = new okta.Client({ orgUrl: OKTA_ORG_URL, token: OKTA_API_TOKEN, cacheMiddleware: null });
const { userApi, groupApi, applicationApi, authorizationServerApi } = client;

async function setup() {
  const user = await ensureUser();
  const groups = [];
  for (const name of [ADMINS, RESTRICTED]) {
    const profile = { name, description: 'People of the cluster' };
    groups.push((await groupApi.createGroup({ group: { profile } })).id);
  }
  await groupApi.assignUserToGroup({ groupId: groups[0], userId: user });
  const app = await applicationApi.createApplication({
    application: {
      name: 'oidc_client',
      label: APP_LABEL,
      signOnMode: 'OPENID_CONNECT',
      credentials: { oauthClient: { token_endpoint_auth_method: 'none', pkce_required: true } },
      settings: {
        oauthClient: {
          application_type: 'native',
          grant_types: ['authorization_code', 'refresh_token'],
          response_types: ['code'],
          redirect_uris: [REDIRECT_URI],
        },
      },
    },
  });
  for (const groupId of groups) {
    await applicationApi.assignGroupToApplication({ appId: app.id, groupId, applicationGroupAssignment: {} });
  }
  const clientId = app.credentials.oauthClient.client_id;
  const server = await createServer(clientId);
  return {
    issuer: server.issuer,
    client_id: clientId,
    server_id: server.id,
    app_id: app.id,
    group_ids: groups,
    user_id: user,
  };
}

async function ensureUser() {
  if (!(await isGone(userApi.getUser({ userId: USER_LOGIN })))) {
    return (await userApi.getUser({ userId: USER_LOGIN })).id;
  }
  const profile = { login: USER_LOGIN, email: USER_LOGIN, firstName: 'Ada', lastName: 'Lovelace', nickName: MARK };
  const body = { profile, credentials: { password: { value: USER_PASSWORD } } };
  return (await userApi.createUser({ body, activate: true })).id;
}

// The authorization server with its claim, its policy and its rule.
async function createServer(clientId) {
  const server = await authorizationServerApi.createAuthorizationServer({
    authorizationServer: {
      name: SERVER_NAME,
      description: 'Tokens of the cluster',
      audiences: [REDIRECT_URI],
      issuerMode: 'ORG_URL',
    },
  });
  await authorizationServerApi.createOAuth2Claim({
    authServerId: server.id,
    oAuth2Claim: {
      name: CLAIM_NAME,
      status: 'ACTIVE',
      claimType: 'IDENTITY',
      valueType: 'GROUPS',
      group_filter_type: 'STARTS_WITH',
      value: GROUP_PREFIX,
      alwaysIncludeInToken: true,
      conditions: { scopes: [] },
    },
  });
  const policy = await authorizationServerApi.createAuthorizationServerPolicy({
    authServerId: server.id,
    policy: {
      type: 'OAUTH_AUTHORIZATION_POLICY',
      status: 'ACTIVE',
      name: POLICY_NAME,
      description: 'Who may have tokens',
      priority: 1,
      conditions: { clients: { include: [clientId] } },
    },
  });
  await authorizationServerApi.createAuthorizationServerPolicyRule({
    authServerId: server.id,
    policyId: policy.id,
    policyRule: {
      type: 'RESOURCE_ACCESS',
      name: RULE_NAME,
      priority: 1,
      conditions: {
        people: { groups: { include: ['EVERYONE'] } },
        grantTypes: { include: ['authorization_code'] },
        scopes: { include: ['*'] },
      },
      actions: {
        token: {
          accessTokenLifetimeMinutes: 60,
          refreshTokenLifetimeMinutes: 0,
          refreshTokenWindowMinutes: 10080,
        },
      },
    },
  });
  return server;
}

async function again() {
  const found = await find();
  await checkPeople(found);
  await checkApp(found);
  await checkServer(found);
  await changeGroup(found);
  await changeRule(found);
  await keepApp(found);
  return found;
}

// Looks everything up by its name.
async function find() {
  const user = await userApi.getUser({ userId: USER_LOGIN });
  const groups = await all(groupApi.listGroups({ q: GROUP_PREFIX }));
  const named = (name) => groups.find((group) => group.profile.name === name);
  expect('the list of groups', named(ADMINS) && named(RESTRICTED), groups);
  const apps = (await all(applicationApi.listApplications({ q: APP_LABEL }))).filter((app) => app.label === APP_LABEL);
  expect('the list of applications', apps.length === 1 && apps[0] instanceof okta.OpenIdConnectApplication, apps);
  const servers = (await all(authorizationServerApi.listAuthorizationServers({ q: SERVER_NAME })))
    .filter((server) => server.name === SERVER_NAME);
  expect('the list of servers', servers.length === 1, servers);
  return {
    issuer: servers[0].issuer,
    client_id: apps[0].credentials.oauthClient.client_id,
    server_id: servers[0].id,
    app_id: apps[0].id,
    group_ids: [named(ADMINS).id, named(RESTRICTED).id],
    user_id: user.id,
  };
}

async function checkPeople(found) {
  const user = await userApi.getUser({ userId: found.user_id });
  const fine = user.status === 'ACTIVE' && user.profile.login === USER_LOGIN;
  expect('the person', fine && !user.credentials.password?.value && user.created instanceof Date, user);
  const users = await all(userApi.listUsers({ search: `profile.login eq "${USER_LOGIN}"`, limit: 1 }));
  expect('the person by search', same(ids(users), [found.user_id]), users);
  // One a page: two groups are two pages at least.
  const groups = await all(groupApi.listGroups({ search: `profile.name sw "${GROUP_PREFIX}"`, limit: 1 }));
  const own = groups.every((group) => group.type === 'OKTA_GROUP');
  expect('the groups', own && same(ids(groups), found.group_ids), groups);
  for (const [groupId, inside] of [[found.group_ids[0], true], [found.group_ids[1], false]]) {
    const members = await all(groupApi.listGroupUsers({ groupId, limit: 1 }));
    expect('a membership', ids(members).includes(found.user_id) === inside, members);
  }
  const mine = await all(userApi.listUserGroups({ userId: found.user_id }));
  expect("the person's groups", ids(mine).includes(found.group_ids[0]), mine);
}

async function checkApp(found) {
  const app = await applicationApi.getApplication({ appId: found.app_id });
  const { credentials: { oauthClient: credentials }, settings: { oauthClient: settings } } = app;
  const fine = app.status === 'ACTIVE'
    && credentials.token_endpoint_auth_method === 'none'
    && credentials.pkce_required === true
    && !credentials.client_secret
    && settings.application_type === 'native'
    && same(settings.grant_types, ['authorization_code', 'refresh_token'])
    && same(settings.response_types, ['code'])
    && same(settings.redirect_uris, [REDIRECT_URI]);
  expect('the application', fine, app);
  const apps = await all(applicationApi.listApplications({ limit: 1 }));
  expect('the list of applications', ids(apps).includes(found.app_id), apps);
  const assigned = await all(applicationApi.listApplicationGroupAssignments({ appId: found.app_id, limit: 1 }));
  expect('the groups of the application', same(ids(assigned), found.group_ids), assigned);
}

async function checkServer(found) {
  const inServer = { authServerId: found.server_id };
  const server = await authorizationServerApi.getAuthorizationServer(inServer);
  const fine = server.status === 'ACTIVE'
    && server.issuerMode === 'ORG_URL'
    && same(server.audiences, [REDIRECT_URI])
    && server.issuer === found.issuer
    && server.issuer.endsWith(`/oauth2/${server.id}`);
  expect('the authorization server', fine, server);
  const claims = await all(authorizationServerApi.listOAuth2Claims(inServer));
  const claim = claims.find(({ name }) => name === CLAIM_NAME);
  const right = claim?.claimType === 'IDENTITY'
    && claim.valueType === 'GROUPS'
    && claim.group_filter_type === 'STARTS_WITH'
    && claim.value === GROUP_PREFIX
    && claim.alwaysIncludeInToken === true
    && !claim.conditions?.scopes?.length;
  expect('the claim', right, claims);
  const scopes = await all(authorizationServerApi.listOAuth2Scopes(inServer));
  expect('the scopes', scopes.some(({ name }) => name === 'offline_access'), scopes);
  const { rule } = await policyAndRule(found);
  const { conditions, actions: { token } } = rule;
  const asMade = same(conditions.people.groups.include, ['EVERYONE'])
    && same(conditions.grantTypes.include, ['authorization_code'])
    && same(conditions.scopes.include, ['*'])
    // 30 after an earlier change.
    && [60, 30].includes(token.accessTokenLifetimeMinutes)
    && token.refreshTokenLifetimeMinutes === 0
    && token.refreshTokenWindowMinutes === 10080;
  expect('the rule', asMade, rule);
}

async function policyAndRule(found) {
  const inServer = { authServerId: found.server_id };
  const policies = await all(authorizationServerApi.listAuthorizationServerPolicies(inServer));
  const policy = policies.find(({ name }) => name === POLICY_NAME);
  expect('the policy', policy && same(policy.conditions.clients.include, [found.client_id]), policies);
  const inPolicy = { ...inServer, policyId: policy.id };
  const rules = await all(authorizationServerApi.listAuthorizationServerPolicyRules(inPolicy));
  expect('the rules', rules.length === 1 && rules[0].name === RULE_NAME, rules);
  return { policy, rule: rules[0] };
}

async function changeGroup(found) {
  const [groupId] = found.group_ids;
  const { profile } = await groupApi.getGroup({ groupId });
  profile.description = 'Administrators of the cluster';
  await groupApi.replaceGroup({ groupId, group: { profile } });
  const changed = await groupApi.getGroup({ groupId });
  const fine = changed.profile.name === ADMINS && changed.profile.description === 'Administrators of the cluster';
  expect('the changed group', fine, changed);
}

async function changeRule(found) {
  const { policy, rule } = await policyAndRule(found);
  rule.actions.token.accessTokenLifetimeMinutes = 30;
  const where = { authServerId: found.server_id, policyId: policy.id, ruleId: rule.id };
  await authorizationServerApi.replaceAuthorizationServerPolicyRule({ ...where, policyRule: rule });
  const changed = await authorizationServerApi.getAuthorizationServerPolicyRule(where);
  const { token } = changed.actions;
  const fine = changed.name === RULE_NAME && token.accessTokenLifetimeMinutes === 30;
  expect('the changed rule', fine && token.refreshTokenWindowMinutes === 10080, changed);
}

// Writes the application back as it was read, and finds it unchanged.
async function keepApp(found) {
  const app = await applicationApi.getApplication({ appId: found.app_id });
  await applicationApi.replaceApplication({ appId: found.app_id, application: app });
  const kept = await applicationApi.getApplication({ appId: found.app_id });
  const fine = kept.label === APP_LABEL && kept.credentials.oauthClient.client_id === found.client_id;
  const settings = kept.settings.oauthClient;
  const grants = same(settings.grant_types, app.settings.oauthClient.grant_types);
  expect('the application after a replacement', fine && grants && same(settings.redirect_uris, [REDIRECT_URI]), kept);
}

async function destroy() {
  const found = await find();
  const user = await userApi.getUser({ userId: found.user_id });
  const inServer = { authServerId: found.server_id };
  await applicationApi.deactivateApplication({ appId: found.app_id });
  await applicationApi.deleteApplication({ appId: found.app_id });
  await authorizationServerApi.deactivateAuthorizationServer(inServer);
  await authorizationServerApi.deleteAuthorizationServer(inServer);
  for (const groupId of found.group_ids) {
    await groupApi.deleteGroup({ groupId });
  }
  if (user.profile.nickName === MARK) {
    await userApi.deactivateUser({ userId: user.id });
    await userApi.deleteUser({ userId: user.id });
  }
  const gone = await isGone(applicationApi.getApplication({ appId: found.app_id }))
    && await isGone(authorizationServerApi.getAuthorizationServer(inServer))
    && await isGone(groupApi.getGroup({ groupId: found.group_ids[0] }));
  expect('what was removed', gone, found);
  return found;
}

// Whether the SDK throws Okta's error for what is not there.
async function isGone(call) {
  try {
    await call;
  } catch (error) {
    if (error.name === 'OktaApiError' && error.status === 404 && error.errorCode === 'E0000007') {
      return true;
    }
    throw error;
  }
  return false;
}

async function all(list) {
  const items = [];
  for await (const item of await list) {
    items.push(item);
  }
  return items;
}

function ids(items) {
  return items.map(({ id }) => id);
}

function same(one, other) {
  return isDeepStrictEqual([...one].sort(), [...other].sort());
}

function expect(what, fine, found) {
  if (!fine) {
    throw new Error(`${what} is not as made: ${JSON.stringify(found)}`);
  }
}

const commands = { setup, again, destroy };
const [name, ...others] = process.argv.slice(2);
try {
  if (others.length > 0 || !Object.hasOwn(commands, name)) {
    throw new Error('usage: run setup|again|destroy');
  }
  console.log(JSON.stringify(await commands[name]()));
} catch (error) {
  console.error(`okta-sdk-nodejs: ${error.url ? `${error.url}: ` : ''}${error.message}`);
  process.exitCode = 1;
}
