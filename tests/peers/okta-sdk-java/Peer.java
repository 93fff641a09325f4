import com.fasterxml.jackson.databind.ObjectMapper;
import com.okta.sdk.authc.credentials.TokenClientCredentials;
import com.okta.sdk.cache.Caches;
import com.okta.sdk.client.Clients;
import com.okta.sdk.helper.ApiExceptionHelper;
import com.okta.sdk.helper.PaginationUtil;
import com.okta.sdk.resource.api.ApplicationApi;
import com.okta.sdk.resource.api.ApplicationGroupsApi;
import com.okta.sdk.resource.api.AuthorizationServerApi;
import com.okta.sdk.resource.api.AuthorizationServerClaimsApi;
import com.okta.sdk.resource.api.AuthorizationServerPoliciesApi;
import com.okta.sdk.resource.api.AuthorizationServerRulesApi;
import com.okta.sdk.resource.api.AuthorizationServerScopesApi;
import com.okta.sdk.resource.api.GroupApi;
import com.okta.sdk.resource.api.UserApi;
import com.okta.sdk.resource.api.UserLifecycleApi;
import com.okta.sdk.resource.api.UserResourcesApi;
import com.okta.sdk.resource.client.ApiClient;
import com.okta.sdk.resource.client.ApiException;
import com.okta.sdk.resource.group.GroupBuilder;
import com.okta.sdk.resource.model.AddGroupRequest;
import com.okta.sdk.resource.model.Application;
import com.okta.sdk.resource.model.ApplicationCredentialsOAuthClient;
import com.okta.sdk.resource.model.ApplicationGroupAssignment;
import com.okta.sdk.resource.model.ApplicationLifecycleStatus;
import com.okta.sdk.resource.model.ApplicationSignOnMode;
import com.okta.sdk.resource.model.AuthorizationServer;
import com.okta.sdk.resource.model.AuthorizationServerPolicy;
import com.okta.sdk.resource.model.AuthorizationServerPolicyConditions;
import com.okta.sdk.resource.model.AuthorizationServerPolicyPeopleCondition;
import com.okta.sdk.resource.model.AuthorizationServerPolicyRule;
import com.okta.sdk.resource.model.AuthorizationServerPolicyRuleActions;
import com.okta.sdk.resource.model.AuthorizationServerPolicyRuleConditions;
import com.okta.sdk.resource.model.AuthorizationServerPolicyRuleGroupCondition;
import com.okta.sdk.resource.model.AuthorizationServerPolicyRuleRequest;
import com.okta.sdk.resource.model.ClientPolicyCondition;
import com.okta.sdk.resource.model.GrantTypePolicyRuleCondition;
import com.okta.sdk.resource.model.Group;
import com.okta.sdk.resource.model.GroupType;
import com.okta.sdk.resource.model.LifecycleStatus;
import com.okta.sdk.resource.model.OAuth2Claim;
import com.okta.sdk.resource.model.OAuth2ClaimConditions;
import com.okta.sdk.resource.model.OAuth2ClaimGroupFilterType;
import com.okta.sdk.resource.model.OAuth2ClaimType;
import com.okta.sdk.resource.model.OAuth2ClaimValueType;
import com.okta.sdk.resource.model.OAuth2ScopesMediationPolicyRuleCondition;
import com.okta.sdk.resource.model.OAuthApplicationCredentials;
import com.okta.sdk.resource.model.OAuthEndpointAuthenticationMethod;
import com.okta.sdk.resource.model.OAuthGrantType;
import com.okta.sdk.resource.model.OAuthResponseType;
import com.okta.sdk.resource.model.OktaUserGroupProfile;
import com.okta.sdk.resource.model.OpenIdConnectApplication;
import com.okta.sdk.resource.model.OpenIdConnectApplicationSettings;
import com.okta.sdk.resource.model.OpenIdConnectApplicationSettingsClient;
import com.okta.sdk.resource.model.OpenIdConnectApplicationType;
import com.okta.sdk.resource.model.TokenAuthorizationServerPolicyRuleAction;
import com.okta.sdk.resource.model.User;
import com.okta.sdk.resource.model.UserGetSingleton;
import com.okta.sdk.resource.model.UserStatus;
import com.okta.sdk.resource.user.UserBuilder;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;

/**
 * Manages an organization with Okta's own SDK for Java, as the set-up of a cluster does.
 *
 * <pre>run setup|again|destroy</pre>
 *
 * <p>{@code setup} makes a person, two groups, an application and an authorization server; {@code again} finds, checks,
 * changes and checks them; {@code destroy} removes them. Each prints one JSON line about them. What goes wrong is told
 * on standard error, and the exit code is 1.
 *
 * <p>Environment: OKTA_ORG_URL, OKTA_API_TOKEN, CA_FILE (PEM, trusted), USER_LOGIN, USER_PASSWORD; GROUP_PREFIX is
 * what the names of the groups begin with (k8s-).
 */
public final class Peer {
    /** With a prefix of its own, a peer works in an organization that has groups for a cluster already. */
    private static final String GROUP_PREFIX = System.getenv().getOrDefault("GROUP_PREFIX", "k8s-");
    private static final String ADMINS = GROUP_PREFIX + "admins";
    private static final String RESTRICTED = GROUP_PREFIX + "restricted-users";
    private static final String APP_LABEL = "k8s OIDC";
    private static final String REDIRECT_URI = "http://localhost:8000";
    private static final String SERVER_NAME = GROUP_PREFIX + "auth";
    private static final String CLAIM_NAME = "groups";
    private static final String POLICY_NAME = "k8s_policy";
    private static final String RULE_NAME = "AuthCode + PKCE";
    /** In the profile of a person that {@code setup} made: {@code destroy} removes no other. */
    private static final String MARK = "okta-sdk-java";

    private final String login = System.getenv("USER_LOGIN");
    private final UserApi users;
    private final UserLifecycleApi lifecycles;
    private final UserResourcesApi userResources;
    private final GroupApi groups;
    private final ApplicationApi apps;
    private final ApplicationGroupsApi assignments;
    private final AuthorizationServerApi servers;
    private final AuthorizationServerClaimsApi claims;
    private final AuthorizationServerScopesApi scopes;
    private final AuthorizationServerPoliciesApi policies;
    private final AuthorizationServerRulesApi rules;

    private Peer(ApiClient client) {
        users = new UserApi(client);
        lifecycles = new UserLifecycleApi(client);
        userResources = new UserResourcesApi(client);
        groups = new GroupApi(client);
        apps = new ApplicationApi(client);
        assignments = new ApplicationGroupsApi(client);
        servers = new AuthorizationServerApi(client);
        claims = new AuthorizationServerClaimsApi(client);
        scopes = new AuthorizationServerScopesApi(client);
        policies = new AuthorizationServerPoliciesApi(client);
        rules = new AuthorizationServerRulesApi(client);
    }

    /** What each command prints. */
    private record Summary(
            String issuer, String client, String server, String app, List<String> groups, String user) {
        String json() throws Exception {
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("issuer", issuer);
            fields.put("client_id", client);
            fields.put("server_id", server);
            fields.put("app_id", app);
            fields.put("group_ids", groups);
            fields.put("user_id", user);
            return new ObjectMapper().writeValueAsString(fields);
        }
    }

    /** A policy and its rule. */
    private record Policy(String id, AuthorizationServerPolicyRule rule) {}

    public static void main(String[] arguments) {
        try {
            String command = arguments.length == 1 ? arguments[0] : "";
            if (!List.of("setup", "again", "destroy").contains(command)) {
                throw new IllegalArgumentException("usage: run setup|again|destroy");
            }
            Peer peer = new Peer(connect());
            Summary summary = switch (command) {
                case "setup" -> peer.setup();
                case "again" -> peer.again();
                default -> peer.destroy();
            };
            System.out.println(summary.json());
        } catch (Exception failure) {
            System.err.println("okta-sdk-java: " + failure);
            failure.printStackTrace();
            System.exit(1);
        }
    }

    private static ApiClient connect() throws Exception {
        trust(System.getenv("CA_FILE"));
        System.setProperty("okta.testing.disableHttpsCheck", "true");
        return Clients.builder()
                .setOrgUrl(System.getenv("OKTA_ORG_URL"))
                .setClientCredentials(new TokenClientCredentials(System.getenv("OKTA_API_TOKEN")))
                // No cache: what is checked is what the server answers.
                .setCacheManager(Caches.newDisabledCacheManager())
                .build();
    }

    /** Makes the file's certificates the ones that Java trusts. */
    private static void trust(String file) throws Exception {
        if (file == null || file.isEmpty()) {
            return;
        }
        Collection<? extends Certificate> certificates;
        try (InputStream pem = new FileInputStream(file)) {
            certificates = CertificateFactory.getInstance("X.509").generateCertificates(pem);
        }
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        for (Certificate certificate : certificates) {
            store.setCertificateEntry("trusted-" + store.size(), certificate);
        }
        Path saved = Files.createTempFile("okta-sdk-java", ".p12");
        saved.toFile().deleteOnExit();
        try (OutputStream out = Files.newOutputStream(saved)) {
            store.store(out, "changeit".toCharArray());
        }
        System.setProperty("javax.net.ssl.trustStore", saved.toString());
        System.setProperty("javax.net.ssl.trustStoreType", "PKCS12");
        System.setProperty("javax.net.ssl.trustStorePassword", "changeit");
    }

    private Summary setup() {
        String user = ensureUser();
        List<String> made = new ArrayList<>();
        for (String name : List.of(ADMINS, RESTRICTED)) {
            GroupBuilder group = GroupBuilder.instance().setName(name).setDescription("People of the cluster");
            made.add(group.buildAndCreate(groups).getId());
        }
        groups.assignUserToGroup(made.get(0), user);
        OpenIdConnectApplication app = createApp();
        for (String group : made) {
            assignments.assignGroupToApplication(app.getId(), group, new ApplicationGroupAssignment());
        }
        String client = app.getCredentials().getOauthClient().getClientId();
        AuthorizationServer server = createServer(client);
        return new Summary(server.getIssuer(), client, server.getId(), app.getId(), made, user);
    }

    private String ensureUser() {
        try {
            return users.getUser(login, null, null).getId();
        } catch (ApiException failure) {
            if (!isNotFound(failure)) {
                throw failure;
            }
        }
        return UserBuilder.instance()
                .setLogin(login)
                .setEmail(login)
                .setFirstName("Ada")
                .setLastName("Lovelace")
                .setNickName(MARK)
                .setPassword(System.getenv("USER_PASSWORD").toCharArray())
                .setActive(true)
                .buildAndCreate(users)
                .getId();
    }

    private OpenIdConnectApplication createApp() {
        OpenIdConnectApplication app = new OpenIdConnectApplication();
        app.setName("oidc_client");
        app.setLabel(APP_LABEL);
        app.setSignOnMode(ApplicationSignOnMode.OPENID_CONNECT);
        app.setCredentials(new OAuthApplicationCredentials()
                .oauthClient(new ApplicationCredentialsOAuthClient()
                        .tokenEndpointAuthMethod(OAuthEndpointAuthenticationMethod.NONE)
                        .pkceRequired(true)));
        app.setSettings(new OpenIdConnectApplicationSettings()
                .oauthClient(new OpenIdConnectApplicationSettingsClient()
                        .applicationType(OpenIdConnectApplicationType.NATIVE)
                        .grantTypes(List.of(OAuthGrantType.AUTHORIZATION_CODE, OAuthGrantType.REFRESH_TOKEN))
                        .responseTypes(List.of(OAuthResponseType.CODE))
                        .redirectUris(List.of(REDIRECT_URI))));
        Application made = apps.createApplication(app, true, null);
        expect("the type of the application", made instanceof OpenIdConnectApplication, made);
        return (OpenIdConnectApplication) made;
    }

    /** The authorization server with its claim, its policy and its rule. */
    private AuthorizationServer createServer(String client) {
        AuthorizationServer server = servers.createAuthorizationServer(new AuthorizationServer()
                .name(SERVER_NAME)
                .description("Tokens of the cluster")
                .audiences(List.of(REDIRECT_URI))
                .issuerMode("ORG_URL"));
        claims.createOAuth2Claim(server.getId(), new OAuth2Claim()
                .name(CLAIM_NAME)
                .status(LifecycleStatus.ACTIVE)
                .claimType(OAuth2ClaimType.IDENTITY)
                .valueType(OAuth2ClaimValueType.GROUPS)
                .groupFilterType(OAuth2ClaimGroupFilterType.STARTS_WITH)
                .value(GROUP_PREFIX)
                .alwaysIncludeInToken(true)
                .conditions(new OAuth2ClaimConditions().scopes(List.of())));
        AuthorizationServerPolicy policy = policies.createAuthorizationServerPolicy(server.getId(),
                new AuthorizationServerPolicy()
                        .type(AuthorizationServerPolicy.TypeEnum.OAUTH_AUTHORIZATION_POLICY)
                        .status(AuthorizationServerPolicy.StatusEnum.ACTIVE)
                        .name(POLICY_NAME)
                        .description("Who may have tokens")
                        .priority(1)
                        .conditions(new AuthorizationServerPolicyConditions()
                                .clients(new ClientPolicyCondition().include(List.of(client)))));
        rules.createAuthorizationServerPolicyRule(server.getId(), policy.getId(),
                new AuthorizationServerPolicyRuleRequest()
                        .type(AuthorizationServerPolicyRuleRequest.TypeEnum.RESOURCE_ACCESS)
                        .name(RULE_NAME)
                        .priority(1)
                        .conditions(new AuthorizationServerPolicyRuleConditions()
                                .people(new AuthorizationServerPolicyPeopleCondition()
                                        .groups(new AuthorizationServerPolicyRuleGroupCondition()
                                                .include(List.of("EVERYONE"))))
                                .grantTypes(new GrantTypePolicyRuleCondition().include(List.of("authorization_code")))
                                .scopes(new OAuth2ScopesMediationPolicyRuleCondition().include(List.of("*"))))
                        .actions(new AuthorizationServerPolicyRuleActions()
                                .token(new TokenAuthorizationServerPolicyRuleAction()
                                        .accessTokenLifetimeMinutes(60)
                                        .refreshTokenLifetimeMinutes(0)
                                        .refreshTokenWindowMinutes(10080))));
        return server;
    }

    private Summary again() {
        Summary found = find();
        checkPeople(found);
        checkApp(found);
        checkServer(found);
        changeGroup(found);
        changeRule(found);
        keepApp(found);
        return found;
    }

    /** Looks everything up by its name. */
    private Summary find() {
        String user = users.getUser(login, null, null).getId();
        Map<String, String> ids = new LinkedHashMap<>();
        for (Group group : all(after -> groups.listGroups(GROUP_PREFIX, null, after, null, null, null, null, null))) {
            ids.put(group.getProfile().getName(), group.getId());
        }
        expect("the list of groups", ids.containsKey(ADMINS) && ids.containsKey(RESTRICTED), ids);
        List<OpenIdConnectApplication> clients = new ArrayList<>();
        for (Application app : all(after -> apps.listApplications(APP_LABEL, after, null, null, null, null, null))) {
            if (app.getLabel().equals(APP_LABEL) && app instanceof OpenIdConnectApplication client) {
                clients.add(client);
            }
        }
        expect("the list of applications", clients.size() == 1, clients);
        List<AuthorizationServer> named = all(after -> servers.listAuthorizationServers(SERVER_NAME, null, after));
        named.removeIf(server -> !server.getName().equals(SERVER_NAME));
        expect("the list of servers", named.size() == 1, named);
        return new Summary(
                named.get(0).getIssuer(),
                clients.get(0).getCredentials().getOauthClient().getClientId(),
                named.get(0).getId(),
                clients.get(0).getId(),
                List.of(ids.get(ADMINS), ids.get(RESTRICTED)),
                user);
    }

    private void checkPeople(Summary found) {
        UserGetSingleton user = users.getUser(found.user(), null, null);
        boolean fine = user.getStatus() == UserStatus.ACTIVE && login.equals(user.getProfile().getLogin());
        expect("the person", fine && user.getCreated() != null, user);
        String byLogin = "profile.login eq \"" + login + "\"";
        List<User> searched = all(after -> users.listUsers(null, null, after, 1, null, byLogin, null, null));
        fine = searched.size() == 1 && searched.get(0).getId().equals(found.user());
        expect("the person by search", fine, searched);
        // One a page: two groups are two pages at least.
        String byName = "profile.name sw \"" + GROUP_PREFIX + "\"";
        List<Group> own = all(after -> groups.listGroups(null, null, after, 1, null, byName, null, null));
        fine = own.stream().allMatch(group -> group.getType() == GroupType.OKTA_GROUP);
        expect("the groups", fine && same(own.stream().map(Group::getId).toList(), found.groups()), own);
        for (String id : found.groups()) {
            List<User> members = all(after -> groups.listGroupUsers(id, after, 1));
            boolean inside = members.stream().anyMatch(member -> member.getId().equals(found.user()));
            expect("a membership", inside == id.equals(found.groups().get(0)), members);
        }
        List<Group> mine = userResources.listUserGroups(found.user());
        fine = mine.stream().anyMatch(group -> group.getId().equals(found.groups().get(0)));
        expect("the person's groups", fine, mine);
    }

    private void checkApp(Summary found) {
        OpenIdConnectApplication app = app(found);
        ApplicationCredentialsOAuthClient credentials = app.getCredentials().getOauthClient();
        OpenIdConnectApplicationSettingsClient settings = app.getSettings().getOauthClient();
        boolean fine = app.getStatus() == ApplicationLifecycleStatus.ACTIVE
                && credentials.getTokenEndpointAuthMethod() == OAuthEndpointAuthenticationMethod.NONE
                && credentials.getPkceRequired()
                && credentials.getClientSecret() == null
                && settings.getApplicationType() == OpenIdConnectApplicationType.NATIVE
                && same(settings.getGrantTypes(),
                        List.of(OAuthGrantType.AUTHORIZATION_CODE, OAuthGrantType.REFRESH_TOKEN))
                && settings.getResponseTypes().equals(List.of(OAuthResponseType.CODE))
                && settings.getRedirectUris().equals(List.of(REDIRECT_URI));
        expect("the application", fine, app);
        List<Application> listed = all(after -> apps.listApplications(null, after, null, 1, null, null, null));
        expect("the list of applications", listed.stream().anyMatch(one -> one.getId().equals(found.app())), listed);
        List<ApplicationGroupAssignment> assigned =
                all(after -> assignments.listApplicationGroupAssignments(found.app(), null, after, 1, null));
        fine = same(assigned.stream().map(ApplicationGroupAssignment::getId).toList(), found.groups());
        expect("the groups of the application", fine, assigned);
    }

    private void checkServer(Summary found) {
        AuthorizationServer server = servers.getAuthorizationServer(found.server());
        boolean fine = server.getStatus() == LifecycleStatus.ACTIVE
                && "ORG_URL".equals(server.getIssuerMode())
                && server.getAudiences().equals(List.of(REDIRECT_URI))
                && server.getIssuer().equals(found.issuer())
                && server.getIssuer().endsWith("/oauth2/" + found.server());
        expect("the authorization server", fine, server);
        List<OAuth2Claim> named = new ArrayList<>(claims.listOAuth2Claims(found.server()));
        named.removeIf(claim -> !claim.getName().equals(CLAIM_NAME));
        expect("the claims", named.size() == 1, named);
        OAuth2Claim claim = named.get(0);
        fine = claim.getClaimType() == OAuth2ClaimType.IDENTITY
                && claim.getValueType() == OAuth2ClaimValueType.GROUPS
                && claim.getGroupFilterType() == OAuth2ClaimGroupFilterType.STARTS_WITH
                && claim.getValue().equals(GROUP_PREFIX)
                && claim.getAlwaysIncludeInToken()
                && (claim.getConditions() == null || isNothing(claim.getConditions().getScopes()));
        expect("the claim", fine, claim);
        var allScopes = all(after -> scopes.listOAuth2Scopes(found.server(), null, null, after, null));
        fine = allScopes.stream().anyMatch(scope -> scope.getName().equals("offline_access"));
        expect("the scopes", fine, allScopes);
        AuthorizationServerPolicyRule rule = policy(found).rule();
        AuthorizationServerPolicyRuleConditions conditions = rule.getConditions();
        TokenAuthorizationServerPolicyRuleAction token = rule.getActions().getToken();
        fine = conditions.getPeople().getGroups().getInclude().equals(List.of("EVERYONE"))
                && conditions.getGrantTypes().getInclude().equals(List.of("authorization_code"))
                && conditions.getScopes().getInclude().equals(List.of("*"))
                // 30 after an earlier change.
                && List.of(60, 30).contains(token.getAccessTokenLifetimeMinutes())
                && token.getRefreshTokenLifetimeMinutes() == 0
                && token.getRefreshTokenWindowMinutes() == 10080;
        expect("the rule", fine, rule);
    }

    private Policy policy(Summary found) {
        List<AuthorizationServerPolicy> named =
                new ArrayList<>(policies.listAuthorizationServerPolicies(found.server()));
        named.removeIf(policy -> !policy.getName().equals(POLICY_NAME));
        expect("the policies", named.size() == 1, named);
        AuthorizationServerPolicy policy = named.get(0);
        List<String> clients = policy.getConditions().getClients().getInclude();
        expect("the policy", clients.equals(List.of(found.client())), policy);
        List<AuthorizationServerPolicyRule> inPolicy =
                rules.listAuthorizationServerPolicyRules(found.server(), policy.getId());
        expect("the rules", inPolicy.size() == 1 && inPolicy.get(0).getName().equals(RULE_NAME), inPolicy);
        return new Policy(policy.getId(), inPolicy.get(0));
    }

    private void changeGroup(Summary found) {
        String id = found.groups().get(0);
        OktaUserGroupProfile profile = new OktaUserGroupProfile()
                .name(groups.getGroup(id).getProfile().getName())
                .description("Administrators of the cluster");
        groups.replaceGroup(id, new AddGroupRequest().profile(profile));
        Group changed = groups.getGroup(id);
        boolean fine = changed.getProfile().getName().equals(ADMINS)
                && changed.getProfile().getDescription().equals("Administrators of the cluster");
        expect("the changed group", fine, changed);
    }

    private void changeRule(Summary found) {
        Policy policy = policy(found);
        AuthorizationServerPolicyRule rule = policy.rule();
        rule.getActions().getToken().setAccessTokenLifetimeMinutes(30);
        rules.replaceAuthorizationServerPolicyRule(found.server(), policy.id(), rule.getId(),
                new AuthorizationServerPolicyRuleRequest()
                        .type(AuthorizationServerPolicyRuleRequest.TypeEnum.RESOURCE_ACCESS)
                        .name(rule.getName())
                        .priority(rule.getPriority())
                        .conditions(rule.getConditions())
                        .actions(rule.getActions()));
        AuthorizationServerPolicyRule changed =
                rules.getAuthorizationServerPolicyRule(found.server(), policy.id(), rule.getId());
        TokenAuthorizationServerPolicyRuleAction token = changed.getActions().getToken();
        boolean fine = changed.getName().equals(RULE_NAME)
                && token.getAccessTokenLifetimeMinutes() == 30
                && token.getRefreshTokenWindowMinutes() == 10080;
        expect("the changed rule", fine, changed);
    }

    /** Writes the application back as it was read, and finds it unchanged. */
    private void keepApp(Summary found) {
        OpenIdConnectApplication app = app(found);
        apps.replaceApplication(found.app(), app);
        OpenIdConnectApplication kept = app(found);
        OpenIdConnectApplicationSettingsClient settings = kept.getSettings().getOauthClient();
        boolean fine = kept.getLabel().equals(APP_LABEL)
                && kept.getCredentials().getOauthClient().getClientId().equals(found.client())
                && settings.getGrantTypes().equals(app.getSettings().getOauthClient().getGrantTypes())
                && settings.getRedirectUris().equals(List.of(REDIRECT_URI));
        expect("the application after a replacement", fine, kept);
    }

    private OpenIdConnectApplication app(Summary found) {
        Application app = apps.getApplication(found.app(), null);
        expect("the type of the application", app instanceof OpenIdConnectApplication, app);
        return (OpenIdConnectApplication) app;
    }

    private Summary destroy() {
        Summary found = find();
        UserGetSingleton user = users.getUser(found.user(), null, null);
        apps.deactivateApplication(found.app());
        apps.deleteApplication(found.app());
        servers.deactivateAuthorizationServer(found.server());
        servers.deleteAuthorizationServer(found.server());
        found.groups().forEach(groups::deleteGroup);
        if (MARK.equals(user.getProfile().getNickName())) {
            lifecycles.deactivateUser(user.getId(), null, null);
            users.deleteUser(user.getId(), null, null);
        }
        expectGone("the application", () -> apps.getApplication(found.app(), null));
        expectGone("the server", () -> servers.getAuthorizationServer(found.server()));
        expectGone("the group", () -> groups.getGroup(found.groups().get(0)));
        return found;
    }

    private static void expectGone(String what, Runnable get) {
        try {
            get.run();
        } catch (ApiException failure) {
            if (isNotFound(failure)) {
                return;
            }
            throw failure;
        }
        throw new IllegalStateException(what + " should be gone");
    }

    /** Whether the SDK read Okta's error for what is not there. */
    private static boolean isNotFound(ApiException failure) {
        return failure.getCode() == 404
                && Objects.equals(ApiExceptionHelper.getError(failure).getErrorCode(), "E0000007");
    }

    /** The items of all pages. */
    private <T> List<T> all(Function<String, List<T>> page) {
        List<T> items = new ArrayList<>();
        String after = null;
        do {
            items.addAll(page.apply(after));
            after = PaginationUtil.getAfter(users.getApiClient());
        } while (after != null);
        return items;
    }

    private static boolean isNothing(List<?> list) {
        return list == null || list.isEmpty();
    }

    private static <T> boolean same(List<T> one, List<T> other) {
        return one.size() == other.size() && new HashSet<>(one).equals(new HashSet<>(other));
    }

    private static void expect(String what, boolean fine, Object found) {
        if (!fine) {
            throw new IllegalStateException(what + " is not as made: " + found);
        }
    }
}
