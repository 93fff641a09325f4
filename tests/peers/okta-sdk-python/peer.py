"""Manages an organization with Okta's own SDK for Python, as the set-up of a cluster does.

    run setup|again|destroy

`setup` makes a person, two groups, an application and an authorization server; `again` finds, checks, changes and
checks them; `destroy` removes them. Each prints one JSON line about them. What goes wrong is told on standard error,
and the exit code is 1.

Environment: OKTA_ORG_URL, OKTA_API_TOKEN, CA_FILE (PEM, trusted), USER_LOGIN, USER_PASSWORD; GROUP_PREFIX is what
the names of the groups begin with (k8s-).
"""

import asyncio
import json
import os
import sys

if os.environ.get("CA_FILE"):
    # The SDK's HTTP client reads this when it is imported.
    os.environ["SSL_CERT_FILE"] = os.environ["CA_FILE"]

# The SDK's switch for an organization without TLS, which it takes from nowhere else.
os.environ["OKTA_TESTING_TESTINGDISABLEHTTPSCHECK"] = "true"

from okta import models
from okta.client import Client
from okta.pagination import PaginationHelper, paginate_all

# With a prefix of its own, a peer works in an organization that has groups for a cluster already.
GROUP_PREFIX = os.environ.get("GROUP_PREFIX") or "k8s-"
ADMINS = GROUP_PREFIX + "admins"
RESTRICTED = GROUP_PREFIX + "restricted-users"
APP_LABEL = "k8s OIDC"
REDIRECT_URI = "http://localhost:8000"
SERVER_NAME = GROUP_PREFIX + "auth"
CLAIM_NAME = "groups"
POLICY_NAME = "k8s_policy"
RULE_NAME = "AuthCode + PKCE"
# In the profile of a person that `setup` made: `destroy` removes no other.
MARK = "okta-sdk-python"


class Failure(Exception):
    """What went wrong, in one sentence."""


async def ask(doing, call):
    """What a call of the SDK brings. It returns its error as the last of what it returns."""
    answer = await call
    if answer[-1] is not None:
        raise Failure(f"{doing}: {answer[-1]}")
    return answer[0]


async def is_gone(call):
    """Whether the SDK read Okta's error for what is not there."""
    error = (await call)[-1]
    return (getattr(error, "status", None), getattr(error, "error_code", None)) == (404, "E0000007")


async def listed(doing, method, limit=200, **arguments):
    """Everything that a list holds, and how many pages that took."""
    pages = 0

    async def page(**arguments):
        nonlocal pages
        pages += 1
        answer = await method(**arguments)
        if answer[-1] is not None:
            # The SDK's own pagination takes an error for the end.
            raise Failure(f"{doing}: {answer[-1]}")
        return answer

    return [item async for item in paginate_all(page, limit=limit, **arguments)], pages


async def whole(doing, method, **arguments):
    """Everything that a list without pages holds."""
    answer = await method(**arguments)
    if answer[-1] is None and PaginationHelper.has_next_page(answer[1].headers):
        raise Failure(f"{doing}: there is another page")
    return await ask(doing, as_answer(answer))


async def as_answer(answer):
    return answer


def expect(what, fine, found):
    if not fine:
        raise Failure(f"{what} is not as made: {found}")


class Organization:
    def __init__(self):
        self.login = os.environ["USER_LOGIN"]
        self.password = os.environ.get("USER_PASSWORD")
        self.api = Client(
            {
                "orgUrl": os.environ["OKTA_ORG_URL"],
                "token": os.environ["OKTA_API_TOKEN"],
                "requestTimeout": 30,
            }
        )

    async def setup(self):
        user = await self.ensure_user()
        groups = []
        for name in (ADMINS, RESTRICTED):
            profile = models.OktaUserGroupProfile(name=name, description="People of the cluster")
            group = await ask(f"create group {name}", self.api.add_group(models.AddGroupRequest(profile=profile)))
            groups.append(group.id)
        await ask(f"put the person into {ADMINS}", self.api.assign_user_to_group(groups[0], user))
        app = await self.create_app()
        for group in groups:
            assignment = models.ApplicationGroupAssignment()
            await ask("assign a group", self.api.assign_group_to_application(app.id, group, assignment))
        client = app.credentials.oauth_client.client_id
        server = await self.create_server(client)
        return {
            "issuer": server.issuer,
            "client_id": client,
            "server_id": server.id,
            "app_id": app.id,
            "group_ids": groups,
            "user_id": user,
        }

    async def ensure_user(self):
        if not await is_gone(self.api.get_user(self.login)):
            return (await ask("get the person by login", self.api.get_user(self.login))).id
        person = models.CreateUserRequest(
            profile=models.UserProfile(
                login=self.login, email=self.login, first_name="Ada", last_name="Lovelace", nick_name=MARK
            ),
            credentials=models.UserCredentialsWritable(password=models.PasswordCredential(value=self.password)),
        )
        return (await ask("create the person", self.api.create_user(person, activate=True))).id

    async def create_app(self):
        app = models.OpenIdConnectApplication(
            name="oidc_client",
            label=APP_LABEL,
            sign_on_mode="OPENID_CONNECT",
            credentials=models.OAuthApplicationCredentials(
                oauth_client=models.ApplicationCredentialsOAuthClient(
                    token_endpoint_auth_method="none", pkce_required=True
                )
            ),
            settings=models.OpenIdConnectApplicationSettings(
                oauth_client=models.OpenIdConnectApplicationSettingsClient(
                    application_type="native",
                    grant_types=["authorization_code", "refresh_token"],
                    response_types=["code"],
                    redirect_uris=[REDIRECT_URI],
                )
            ),
        )
        return await ask("create the application", self.api.create_application(app))

    async def create_server(self, client):
        """The authorization server with its claim, its policy and its rule."""
        server = models.AuthorizationServer(
            name=SERVER_NAME, description="Tokens of the cluster", audiences=[REDIRECT_URI], issuer_mode="ORG_URL"
        )
        server = await ask("create the authorization server", self.api.create_authorization_server(server))
        claim = models.OAuth2Claim(
            name=CLAIM_NAME,
            status="ACTIVE",
            claim_type="IDENTITY",
            value_type="GROUPS",
            group_filter_type="STARTS_WITH",
            value=GROUP_PREFIX,
            always_include_in_token=True,
            conditions=models.OAuth2ClaimConditions(scopes=[]),
        )
        await ask("create the claim", self.api.create_o_auth2_claim(server.id, claim))
        policy = models.AuthorizationServerPolicy(
            type="OAUTH_AUTHORIZATION_POLICY",
            status="ACTIVE",
            name=POLICY_NAME,
            description="Who may have tokens",
            priority=1,
            conditions=models.AuthorizationServerPolicyConditions(
                clients=models.ClientPolicyCondition(include=[client])
            ),
        )
        policy = await ask("create the policy", self.api.create_authorization_server_policy(server.id, policy))
        rule = models.AuthorizationServerPolicyRuleRequest(
            type="RESOURCE_ACCESS",
            name=RULE_NAME,
            priority=1,
            conditions=models.AuthorizationServerPolicyRuleConditions(
                people=models.AuthorizationServerPolicyPeopleCondition(
                    groups=models.AuthorizationServerPolicyRuleGroupCondition(include=["EVERYONE"])
                ),
                grant_types=models.GrantTypePolicyRuleCondition(include=["authorization_code"]),
                scopes=models.OAuth2ScopesMediationPolicyRuleCondition(include=["*"]),
            ),
            actions=models.AuthorizationServerPolicyRuleActions(
                token=models.TokenAuthorizationServerPolicyRuleAction(
                    access_token_lifetime_minutes=60,
                    refresh_token_lifetime_minutes=0,
                    refresh_token_window_minutes=10080,
                )
            ),
        )
        create = self.api.create_authorization_server_policy_rule(server.id, policy.id, rule)
        await ask("create the rule", create)
        return server

    async def again(self):
        found = await self.find()
        await self.check_people(found)
        await self.check_app(found)
        await self.check_server(found)
        await self.change_group(found)
        await self.change_rule(found)
        await self.keep_app(found)
        return found

    async def find(self):
        """Looks everything up by its name."""
        user = await ask("get the person by login", self.api.get_user(self.login))
        groups, _ = await listed("list groups by q", self.api.list_groups, q=GROUP_PREFIX)
        ids = {group.profile.actual_instance.name: group.id for group in groups}
        expect("the list of groups", ADMINS in ids and RESTRICTED in ids, ids)
        apps, _ = await listed("list applications by q", self.api.list_applications, q=APP_LABEL)
        apps = [app for app in apps if app.label == APP_LABEL]
        expect("the list of applications", len(apps) == 1, apps)
        expect("the type of the application", isinstance(apps[0], models.OpenIdConnectApplication), apps)
        servers, _ = await listed(
            "list servers by q", self.api.list_authorization_servers, q=SERVER_NAME
        )
        servers = [server for server in servers if server.name == SERVER_NAME]
        expect("the list of servers", len(servers) == 1, servers)
        return {
            "issuer": servers[0].issuer,
            "client_id": apps[0].credentials.oauth_client.client_id,
            "server_id": servers[0].id,
            "app_id": apps[0].id,
            "group_ids": [ids[ADMINS], ids[RESTRICTED]],
            "user_id": user.id,
        }

    async def check_people(self, found):
        user = await ask("get the person", self.api.get_user(found["user_id"]))
        fine = user.status == "ACTIVE" and user.profile.login == self.login and user.profile.email
        expect("the person", fine and not user.credentials.password.value, user)
        users, _ = await listed(
            "search for the person",
            self.api.list_users,
            limit=1,
            search=f'profile.login eq "{self.login}"',
        )
        expect("the person by search", [user.id for user in users] == [found["user_id"]], users)
        groups, pages = await listed(
            "search for groups",
            self.api.list_groups,
            limit=1,
            search=f'profile.name sw "{GROUP_PREFIX}"',
        )
        fine = sorted(group.id for group in groups) == sorted(found["group_ids"]) and pages >= 2
        expect("the groups", fine and all(group.type == "OKTA_GROUP" for group in groups), groups)
        for group, inside in zip(found["group_ids"], (True, False)):
            members, _ = await listed(
                "list the members", self.api.list_group_users, limit=1, group_id=group
            )
            expect("a membership", (found["user_id"] in [member.id for member in members]) == inside, members)
        mine = await whole("list the person's groups", self.api.list_user_groups, id=found["user_id"])
        expect("the person's groups", found["group_ids"][0] in [group.id for group in mine], mine)

    async def check_app(self, found):
        app = await ask("get the application", self.api.get_application(found["app_id"]))
        client, settings = app.credentials.oauth_client, app.settings.oauth_client
        fine = (
            app.status == "ACTIVE"
            and client.token_endpoint_auth_method == "none"
            and client.pkce_required
            and not client.client_secret
            and settings.application_type == "native"
            and sorted(settings.grant_types) == ["authorization_code", "refresh_token"]
            and settings.response_types == ["code"]
            and settings.redirect_uris == [REDIRECT_URI]
        )
        expect("the application", fine, app)
        apps, _ = await listed("list applications by one", self.api.list_applications, limit=1)
        expect("the list of applications", found["app_id"] in [app.id for app in apps], apps)
        # The SDK does not take a limit under 20 here.
        assigned, _ = await listed(
            "list the groups of the application",
            self.api.list_application_group_assignments,
            limit=20,
            app_id=found["app_id"],
        )
        fine = sorted(assignment.id for assignment in assigned) == sorted(found["group_ids"])
        expect("the groups of the application", fine, assigned)

    async def check_server(self, found):
        server = await ask("get the server", self.api.get_authorization_server(found["server_id"]))
        fine = (
            server.status == "ACTIVE"
            and server.issuer_mode == "ORG_URL"
            and server.audiences == [REDIRECT_URI]
            and server.issuer == found["issuer"]
            and server.issuer.endswith("/oauth2/" + server.id)
        )
        expect("the authorization server", fine, server)
        in_server = {"auth_server_id": found["server_id"]}
        claims = await whole("list the claims", self.api.list_o_auth2_claims, **in_server)
        claims = [claim for claim in claims if claim.name == CLAIM_NAME]
        expect("the claims", len(claims) == 1, claims)
        claim = claims[0]
        fine = (
            claim.claim_type == "IDENTITY"
            and claim.value_type == "GROUPS"
            and claim.group_filter_type == "STARTS_WITH"
            and claim.value == GROUP_PREFIX
            and claim.always_include_in_token
            and not (claim.conditions and claim.conditions.scopes)
        )
        expect("the claim", fine, claim)
        scopes = await whole("list the scopes", self.api.list_o_auth2_scopes, **in_server)
        expect("the scopes", "offline_access" in [scope.name for scope in scopes], scopes)
        _, rule = await self.rule(found)
        conditions, token = rule.conditions, rule.actions.token
        fine = (
            conditions.people.groups.include == ["EVERYONE"]
            and conditions.grant_types.include == ["authorization_code"]
            and conditions.scopes.include == ["*"]
            # 30 after an earlier change.
            and token.access_token_lifetime_minutes in (60, 30)
            and token.refresh_token_lifetime_minutes == 0
            and token.refresh_token_window_minutes == 10080
        )
        expect("the rule", fine, rule)

    async def rule(self, found):
        """The id of the policy, and its rule."""
        in_server = {"auth_server_id": found["server_id"]}
        policies = await whole(
            "list the policies", self.api.list_authorization_server_policies, **in_server
        )
        policies = [policy for policy in policies if policy.name == POLICY_NAME]
        expect("the policies", len(policies) == 1, policies)
        expect("the policy", policies[0].conditions.clients.include == [found["client_id"]], policies[0])
        rules = await whole(
            "list the rules",
            self.api.list_authorization_server_policy_rules,
            policy_id=policies[0].id,
            **in_server,
        )
        expect("the rules", [rule.name for rule in rules] == [RULE_NAME], rules)
        return policies[0].id, rules[0]

    async def change_group(self, found):
        group = await ask("get the group", self.api.get_group(found["group_ids"][0]))
        profile = group.profile.actual_instance
        profile.description = "Administrators of the cluster"
        request = models.AddGroupRequest(profile=profile)
        await ask("replace the group", self.api.replace_group(group.id, request))
        changed = (await ask("get the changed group", self.api.get_group(group.id))).profile.actual_instance
        fine = changed.name == ADMINS and changed.description == "Administrators of the cluster"
        expect("the changed group", fine, changed)

    async def change_rule(self, found):
        policy, rule = await self.rule(found)
        rule.actions.token.access_token_lifetime_minutes = 30
        request = models.AuthorizationServerPolicyRuleRequest.from_dict(rule.to_dict())
        where = (found["server_id"], policy, rule.id)
        await ask("replace the rule", self.api.replace_authorization_server_policy_rule(*where, request))
        changed = await ask("get the changed rule", self.api.get_authorization_server_policy_rule(*where))
        token = changed.actions.token
        fine = changed.name == RULE_NAME and token.access_token_lifetime_minutes == 30
        expect("the changed rule", fine and token.refresh_token_window_minutes == 10080, changed)

    async def keep_app(self, found):
        """Writes the application back as it was read, and finds it unchanged."""
        app = await ask("get the application", self.api.get_application(found["app_id"]))
        await ask("replace the application", self.api.replace_application(app.id, app))
        kept = await ask("get the application", self.api.get_application(app.id))
        fine = kept.label == APP_LABEL and kept.credentials.oauth_client.client_id == found["client_id"]
        settings = kept.settings.oauth_client
        fine = fine and settings.grant_types == app.settings.oauth_client.grant_types
        expect("the application after a replacement", fine and settings.redirect_uris == [REDIRECT_URI], kept)

    async def destroy(self):
        found = await self.find()
        user = await ask("get the person", self.api.get_user(found["user_id"]))
        app, server = found["app_id"], found["server_id"]
        await ask("deactivate the application", self.api.deactivate_application(app))
        await ask("delete the application", self.api.delete_application(app))
        await ask("deactivate the server", self.api.deactivate_authorization_server(server))
        await ask("delete the server", self.api.delete_authorization_server(server))
        for group in found["group_ids"]:
            await ask("delete a group", self.api.delete_group(group))
        if user.profile.nick_name == MARK:
            await ask("deactivate the person", self.api.deactivate_user(user.id))
            await ask("delete the person", self.api.delete_user(user.id))
        for what, call in {
            "the application": self.api.get_application(app),
            "the server": self.api.get_authorization_server(server),
            "the group": self.api.get_group(found["group_ids"][0]),
        }.items():
            if not await is_gone(call):
                raise Failure(f"{what} should be gone")
        return found


async def main():
    commands = {"setup": Organization.setup, "again": Organization.again, "destroy": Organization.destroy}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        raise Failure("usage: run setup|again|destroy")
    print(json.dumps(await commands[sys.argv[1]](Organization())))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except Failure as failure:
        sys.exit(f"okta-sdk-python: {failure}")
