package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/okta/okta-sdk-golang/v5/okta"
)

// again finds everything, checks it, changes some of it, and checks that too.
func (o *organization) again() (*summary, error) {
	found, err := o.find()
	if err != nil {
		return nil, err
	}
	steps := []func(*summary) error{o.checkPeople, o.checkApp, o.checkServer, o.changeGroup, o.changeRule, o.keepApp}
	for _, step := range steps {
		if err := step(found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// find looks everything up by its name.
func (o *organization) find() (*summary, error) {
	user, _, err := o.UserAPI.GetUser(o.context(), o.login).Execute()
	if err != nil {
		return nil, told("get the person by login", err)
	}
	found := &summary{UserID: user.GetId()}
	groups, answer, err := o.GroupAPI.ListGroups(o.context()).Q(groupPrefix).Execute()
	if groups, err = all(groups, answer, err); err != nil {
		return nil, told("list groups by q", err)
	}
	for _, name := range []string{adminsName, restrictedName} {
		at := slices.IndexFunc(groups, func(group okta.Group) bool { return group.Profile.GetName() == name })
		if at < 0 {
			return nil, fmt.Errorf("no group %s among %d", name, len(groups))
		}
		found.GroupIDs = append(found.GroupIDs, groups[at].GetId())
	}
	apps, answer, err := o.ApplicationAPI.ListApplications(o.context()).Q(appLabel).Execute()
	if apps, err = all(apps, answer, err); err != nil {
		return nil, told("list applications by q", err)
	}
	for _, app := range apps {
		if client := app.OpenIdConnectApplication; client != nil && client.GetLabel() == appLabel {
			found.AppID, found.ClientID = client.GetId(), client.Credentials.OauthClient.GetClientId()
		}
	}
	servers, answer, err := o.AuthorizationServerAPI.ListAuthorizationServers(o.context()).Q(serverName).Execute()
	if servers, err = all(servers, answer, err); err != nil {
		return nil, told("list authorization servers by q", err)
	}
	for _, server := range servers {
		if server.GetName() == serverName {
			found.ServerID, found.Issuer = server.GetId(), server.GetIssuer()
		}
	}
	return found, expect("the application or the server", found.AppID != "" && found.ServerID != "", found)
}

func (o *organization) checkPeople(found *summary) error {
	user, _, err := o.UserAPI.GetUser(o.context(), found.UserID).Execute()
	if err != nil {
		return told("get the person", err)
	}
	fine := user.GetStatus() == "ACTIVE" && user.Profile.GetLogin() == o.login &&
		user.Credentials.Password.GetValue() == ""
	if err := expect("the person", fine, user); err != nil {
		return err
	}
	search := fmt.Sprintf("profile.login eq %q", o.login)
	users, answer, err := o.UserAPI.ListUsers(o.context()).Search(search).Limit(1).Execute()
	if users, err = all(users, answer, err); err != nil {
		return told("search for the person", err)
	}
	if err := expect("the person by search", len(users) == 1 && users[0].GetId() == found.UserID, users); err != nil {
		return err
	}
	// One a page: two groups are two pages at least.
	groups, answer, err := o.GroupAPI.ListGroups(o.context()).
		Search(fmt.Sprintf("profile.name sw %q", groupPrefix)).Limit(1).Execute()
	paged := err == nil && answer.HasNextPage() && len(groups) == 1
	if groups, err = all(groups, answer, err); err != nil {
		return told("search for groups", err)
	}
	if err := expect("paging", paged, groups); err != nil {
		return err
	}
	var ids []string
	for _, group := range groups {
		ids = append(ids, group.GetId())
		if err := expect("the group", group.GetType() == "OKTA_GROUP", group); err != nil {
			return err
		}
	}
	if err := expect("the groups", sameMembers(ids, found.GroupIDs), ids); err != nil {
		return err
	}
	for group, inside := range map[string]bool{found.GroupIDs[0]: true, found.GroupIDs[1]: false} {
		members, answer, err := o.GroupAPI.ListGroupUsers(o.context(), group).Limit(1).Execute()
		if members, err = all(members, answer, err); err != nil {
			return told("list the members", err)
		}
		is := slices.ContainsFunc(members, func(member okta.GroupMember) bool { return member.GetId() == found.UserID })
		if err := expect("a membership", is == inside, members); err != nil {
			return err
		}
	}
	mine, answer, err := o.UserAPI.ListUserGroups(o.context(), found.UserID).Execute()
	if mine, err = all(mine, answer, err); err != nil {
		return told("list the person's groups", err)
	}
	in := slices.ContainsFunc(mine, func(group okta.Group) bool { return group.Profile.GetName() == adminsName })
	return expect("the person's groups", in, mine)
}

func (o *organization) checkApp(found *summary) error {
	app, err := o.app(found)
	if err != nil {
		return err
	}
	client, settings := app.Credentials.OauthClient, app.Settings.OauthClient
	fine := app.GetStatus() == "ACTIVE" && client.GetTokenEndpointAuthMethod() == "none" && client.GetPkceRequired() &&
		client.GetClientSecret() == "" && settings.GetApplicationType() == "native" &&
		sameMembers(settings.GrantTypes, []string{"authorization_code", "refresh_token"}) &&
		slices.Equal(settings.ResponseTypes, []string{"code"}) && slices.Equal(settings.RedirectUris, []string{redirectURI})
	if err := expect("the application", fine, app); err != nil {
		return err
	}
	apps, answer, err := o.ApplicationAPI.ListApplications(o.context()).Limit(1).Execute()
	if apps, err = all(apps, answer, err); err != nil {
		return told("list applications by pages of one", err)
	}
	listed := slices.ContainsFunc(apps, func(app okta.ListApplications200ResponseInner) bool {
		return app.OpenIdConnectApplication != nil && app.OpenIdConnectApplication.GetId() == found.AppID
	})
	if err := expect("the list of applications", listed, apps); err != nil {
		return err
	}
	assigned, answer, err := o.ApplicationGroupsAPI.ListApplicationGroupAssignments(o.context(), found.AppID).Limit(1).
		Execute()
	paged := err == nil && answer.HasNextPage()
	if assigned, err = all(assigned, answer, err); err != nil {
		return told("list the groups of the application", err)
	}
	var ids []string
	for _, assignment := range assigned {
		ids = append(ids, assignment.GetId())
	}
	return expect("the groups of the application", paged && sameMembers(ids, found.GroupIDs), assigned)
}

func (o *organization) checkServer(found *summary) error {
	server, _, err := o.AuthorizationServerAPI.GetAuthorizationServer(o.context(), found.ServerID).Execute()
	if err != nil {
		return told("get the authorization server", err)
	}
	fine := server.GetStatus() == "ACTIVE" && server.GetIssuerMode() == "ORG_URL" &&
		slices.Equal(server.Audiences, []string{redirectURI}) && server.GetIssuer() == found.Issuer &&
		strings.HasSuffix(found.Issuer, "/oauth2/"+found.ServerID)
	if err := expect("the authorization server", fine, server); err != nil {
		return err
	}
	claims, answer, err := o.AuthorizationServerClaimsAPI.ListOAuth2Claims(o.context(), found.ServerID).Execute()
	if claims, err = all(claims, answer, err); err != nil {
		return told("list the claims", err)
	}
	at := slices.IndexFunc(claims, func(claim okta.OAuth2Claim) bool { return claim.GetName() == claimName })
	if err := expect("the claims", at >= 0, claims); err != nil {
		return err
	}
	claim := claims[at]
	fine = claim.GetClaimType() == "IDENTITY" && claim.GetValueType() == "GROUPS" &&
		claim.GetGroupFilterType() == "STARTS_WITH" && claim.GetValue() == groupPrefix && claim.GetAlwaysIncludeInToken() &&
		len(claim.Conditions.GetScopes()) == 0
	if err := expect("the claim", fine, claim); err != nil {
		return err
	}
	scopes, answer, err := o.AuthorizationServerScopesAPI.ListOAuth2Scopes(o.context(), found.ServerID).Execute()
	if scopes, err = all(scopes, answer, err); err != nil {
		return told("list the scopes", err)
	}
	has := slices.ContainsFunc(scopes, func(scope okta.OAuth2Scope) bool { return scope.GetName() == "offline_access" })
	if err := expect("the scopes", has, scopes); err != nil {
		return err
	}
	_, rule, err := o.rule(found)
	if err != nil {
		return err
	}
	conditions, lifetimes := rule.GetConditions(), rule.Actions.GetToken()
	access := lifetimes.GetAccessTokenLifetimeMinutes()
	fine = slices.Equal(conditions.People.Groups.GetInclude(), []string{"EVERYONE"}) &&
		slices.Equal(conditions.GrantTypes.GetInclude(), []string{"authorization_code"}) &&
		slices.Equal(conditions.Scopes.GetInclude(), []string{"*"}) &&
		// 30 after an earlier change.
		(access == 60 || access == 30) && lifetimes.GetRefreshTokenLifetimeMinutes() == 0 &&
		lifetimes.GetRefreshTokenWindowMinutes() == 10080
	return expect("the rule", fine, rule)
}

func (o *organization) changeGroup(found *summary) error {
	group, _, err := o.GroupAPI.GetGroup(o.context(), found.GroupIDs[0]).Execute()
	if err != nil {
		return told("get the group", err)
	}
	group.Profile.SetDescription("Administrators of the cluster")
	_, _, err = o.GroupAPI.ReplaceGroup(o.context(), group.GetId()).Group(okta.Group{Profile: group.Profile}).Execute()
	if err != nil {
		return told("replace the group", err)
	}
	changed, _, err := o.GroupAPI.GetGroup(o.context(), group.GetId()).Execute()
	if err != nil {
		return told("get the changed group", err)
	}
	fine := changed.Profile.GetDescription() == "Administrators of the cluster" && changed.Profile.GetName() == adminsName
	return expect("the changed group", fine, changed)
}

func (o *organization) changeRule(found *summary) error {
	policy, rule, err := o.rule(found)
	if err != nil {
		return err
	}
	rule.Actions.Token.SetAccessTokenLifetimeMinutes(30)
	rules := o.AuthorizationServerRulesAPI
	_, _, err = rules.ReplaceAuthorizationServerPolicyRule(o.context(), found.ServerID, policy, rule.GetId()).
		PolicyRule(*rule).Execute()
	if err != nil {
		return told("replace the rule", err)
	}
	changed, _, err := rules.GetAuthorizationServerPolicyRule(o.context(), found.ServerID, policy, rule.GetId()).Execute()
	if err != nil {
		return told("get the changed rule", err)
	}
	fine := changed.Actions.Token.GetAccessTokenLifetimeMinutes() == 30 && changed.GetName() == ruleName &&
		changed.Actions.Token.GetRefreshTokenWindowMinutes() == 10080
	return expect("the changed rule", fine, changed)
}

// keepApp writes the application back as it was read, and finds it unchanged.
func (o *organization) keepApp(found *summary) error {
	app, err := o.app(found)
	if err != nil {
		return err
	}
	_, _, err = o.ApplicationAPI.ReplaceApplication(o.context(), found.AppID).
		Application(okta.OpenIdConnectApplicationAsListApplications200ResponseInner(app)).Execute()
	if err != nil {
		return told("replace the application", err)
	}
	kept, err := o.app(found)
	if err != nil {
		return err
	}
	fine := kept.GetLabel() == appLabel && kept.Credentials.OauthClient.GetClientId() == found.ClientID &&
		slices.Equal(kept.Settings.OauthClient.GrantTypes, app.Settings.OauthClient.GrantTypes)
	return expect("the application after a replacement", fine, kept)
}

func (o *organization) app(found *summary) (*okta.OpenIdConnectApplication, error) {
	app, _, err := o.ApplicationAPI.GetApplication(o.context(), found.AppID).Execute()
	if err != nil {
		return nil, told("get the application", err)
	}
	return app.OpenIdConnectApplication, expect("the application", app.OpenIdConnectApplication != nil, app)
}

// rule returns the id of the policy, and its rule.
func (o *organization) rule(found *summary) (string, *okta.AuthorizationServerPolicyRule, error) {
	policies, answer, err := o.AuthorizationServerPoliciesAPI.
		ListAuthorizationServerPolicies(o.context(), found.ServerID).Execute()
	if policies, err = all(policies, answer, err); err != nil {
		return "", nil, told("list the policies", err)
	}
	at := slices.IndexFunc(policies, func(policy okta.AuthorizationServerPolicy) bool {
		return policy.AdditionalProperties["name"] == policyName &&
			slices.Equal(policy.Conditions.Clients.GetInclude(), []string{found.ClientID})
	})
	if err := expect("the policies", at >= 0, policies); err != nil {
		return "", nil, err
	}
	policy := text(policies[at].AdditionalProperties["id"])
	rules, answer, err := o.AuthorizationServerRulesAPI.
		ListAuthorizationServerPolicyRules(o.context(), found.ServerID, policy).Execute()
	if rules, err = all(rules, answer, err); err != nil {
		return "", nil, told("list the rules", err)
	}
	if err := expect("the rules", len(rules) == 1 && rules[0].GetName() == ruleName, rules); err != nil {
		return "", nil, err
	}
	return policy, &rules[0], nil
}

// all adds the pages that follow the first.
func all[T any](items []T, answer *okta.APIResponse, err error) ([]T, error) {
	for err == nil && answer.HasNextPage() {
		var more []T
		if answer, err = answer.Next(&more); err == nil {
			items = append(items, more...)
		}
	}
	return items, err
}

func (o *organization) context() context.Context {
	return o.GetConfig().Context
}

func sameMembers(one, other []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(one)), slices.Sorted(slices.Values(other)))
}

func text(value any) string {
	text, _ := value.(string)
	return text
}
