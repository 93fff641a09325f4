package main

import "github.com/okta/okta-sdk-golang/v5/okta"

// setup makes everything.
func (o *organization) setup() (*summary, error) {
	user, err := o.ensureUser()
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, name := range []string{adminsName, restrictedName} {
		profile := okta.GroupProfile{Name: &name, Description: okta.PtrString("People of the cluster")}
		group, _, err := o.GroupAPI.CreateGroup(o.context()).Group(okta.Group{Profile: &profile}).Execute()
		if err != nil {
			return nil, told("create group "+name, err)
		}
		groups = append(groups, group.GetId())
	}
	if _, err := o.GroupAPI.AssignUserToGroup(o.context(), groups[0], user).Execute(); err != nil {
		return nil, told("put the person into "+adminsName, err)
	}
	app, err := o.createApp()
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		assignment := okta.ApplicationGroupAssignment{}
		_, _, err := o.ApplicationGroupsAPI.AssignGroupToApplication(o.context(), app.GetId(), group).
			ApplicationGroupAssignment(assignment).Execute()
		if err != nil {
			return nil, told("assign a group to the application", err)
		}
	}
	client := app.Credentials.OauthClient.GetClientId()
	server, err := o.createServer(client)
	if err != nil {
		return nil, err
	}
	return &summary{
		Issuer: server.GetIssuer(), ClientID: client, ServerID: server.GetId(), AppID: app.GetId(),
		GroupIDs: groups, UserID: user,
	}, nil
}

// ensureUser returns the id of the person, who is made if there is none of that login.
func (o *organization) ensureUser() (string, error) {
	found, answer, err := o.UserAPI.GetUser(o.context(), o.login).Execute()
	if err == nil {
		return found.GetId(), nil
	}
	if !notFound(answer, err) {
		return "", told("get the person by login", err)
	}
	profile := okta.NewUserProfile()
	profile.SetLogin(o.login)
	profile.SetEmail(o.login)
	profile.SetFirstName("Ada")
	profile.SetLastName("Lovelace")
	profile.SetNickName(mark)
	person := okta.NewCreateUserRequest(*profile)
	person.SetCredentials(okta.UserCredentials{Password: &okta.PasswordCredential{Value: &o.password}})
	made, _, err := o.UserAPI.CreateUser(o.context()).Body(*person).Activate(true).Execute()
	if err != nil {
		return "", told("create the person", err)
	}
	return made.GetId(), nil
}

func (o *organization) createApp() (*okta.OpenIdConnectApplication, error) {
	settings := okta.NewOpenIdConnectApplicationSettings()
	settings.SetOauthClient(okta.OpenIdConnectApplicationSettingsClient{
		ApplicationType: okta.PtrString("native"),
		GrantTypes:      []string{"authorization_code", "refresh_token"},
		ResponseTypes:   []string{"code"},
		RedirectUris:    []string{redirectURI},
	})
	credentials := okta.NewOAuthApplicationCredentials()
	credentials.SetOauthClient(okta.ApplicationCredentialsOAuthClient{
		TokenEndpointAuthMethod: okta.PtrString("none"),
		PkceRequired:            okta.PtrBool(true),
	})
	app := okta.NewOpenIdConnectApplication(*credentials, "oidc_client", *settings, appLabel, "OPENID_CONNECT")
	made, _, err := o.ApplicationAPI.CreateApplication(o.context()).
		Application(okta.OpenIdConnectApplicationAsListApplications200ResponseInner(app)).Execute()
	if err != nil {
		return nil, told("create the application", err)
	}
	if err := expect("the application", made.OpenIdConnectApplication != nil, made); err != nil {
		return nil, err
	}
	return made.OpenIdConnectApplication, nil
}

// createServer makes the authorization server with its claim, its policy and its rule.
func (o *organization) createServer(client string) (*okta.AuthorizationServer, error) {
	server := okta.AuthorizationServer{
		Name:        okta.PtrString(serverName),
		Description: okta.PtrString("Tokens of the cluster"),
		Audiences:   []string{redirectURI},
		IssuerMode:  okta.PtrString("ORG_URL"),
	}
	made, _, err := o.AuthorizationServerAPI.CreateAuthorizationServer(o.context()).AuthorizationServer(server).Execute()
	if err != nil {
		return nil, told("create the authorization server", err)
	}
	claim := okta.OAuth2Claim{
		Name:                 okta.PtrString(claimName),
		Status:               okta.PtrString("ACTIVE"),
		ClaimType:            okta.PtrString("IDENTITY"),
		ValueType:            okta.PtrString("GROUPS"),
		GroupFilterType:      okta.PtrString("STARTS_WITH"),
		Value:                okta.PtrString(groupPrefix),
		AlwaysIncludeInToken: okta.PtrBool(true),
		Conditions:           &okta.OAuth2ClaimConditions{Scopes: []string{}},
	}
	_, _, err = o.AuthorizationServerClaimsAPI.CreateOAuth2Claim(o.context(), made.GetId()).OAuth2Claim(claim).Execute()
	if err != nil {
		return nil, told("create the claim", err)
	}
	// This version of the SDK has no fields for what a policy has in common with policies of other types.
	policy := okta.AuthorizationServerPolicy{
		Conditions: &okta.AuthorizationServerPolicyConditions{
			Clients: &okta.ClientPolicyCondition{Include: []string{client}},
		},
		AdditionalProperties: map[string]any{
			"type": "OAUTH_AUTHORIZATION_POLICY", "status": "ACTIVE", "priority": 1,
			"name": policyName, "description": "Who may have tokens",
		},
	}
	policies := o.AuthorizationServerPoliciesAPI
	createdPolicy, _, err := policies.CreateAuthorizationServerPolicy(o.context(), made.GetId()).Policy(policy).Execute()
	if err != nil {
		return nil, told("create the policy", err)
	}
	policyID := text(createdPolicy.AdditionalProperties["id"])
	_, _, err = o.AuthorizationServerRulesAPI.CreateAuthorizationServerPolicyRule(o.context(), made.GetId(), policyID).
		PolicyRule(newRule()).Execute()
	return made, told("create the rule", err)
}

func newRule() okta.AuthorizationServerPolicyRule {
	rule := okta.NewAuthorizationServerPolicyRule()
	rule.SetName(ruleName)
	rule.SetType("RESOURCE_ACCESS")
	rule.SetPriority(1)
	rule.SetConditions(okta.AuthorizationServerPolicyRuleConditions{
		People: &okta.AuthorizationServerPolicyPeopleCondition{
			Groups: &okta.AuthorizationServerPolicyRuleGroupCondition{Include: []string{"EVERYONE"}},
		},
		GrantTypes: &okta.GrantTypePolicyRuleCondition{Include: []string{"authorization_code"}},
		Scopes:     &okta.OAuth2ScopesMediationPolicyRuleCondition{Include: []string{"*"}},
	})
	rule.SetActions(okta.AuthorizationServerPolicyRuleActions{
		Token: &okta.TokenAuthorizationServerPolicyRuleAction{
			AccessTokenLifetimeMinutes:  okta.PtrInt32(60),
			RefreshTokenLifetimeMinutes: okta.PtrInt32(0),
			RefreshTokenWindowMinutes:   okta.PtrInt32(10080),
		},
	})
	return *rule
}
