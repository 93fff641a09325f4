# What kubectl signs in as: on people's own machines, so that it can keep no secret. PKCE takes its place.
resource "okta_app_oauth" "kubectl" {
  label                      = "${trimsuffix(var.prefix, "-")} OIDC"
  type                       = "native"
  token_endpoint_auth_method = "none"
  pkce_required              = true
  response_types             = ["code"]

  # Without refresh_token the lifetimes of refresh tokens have no effect: the browser opens whenever a token ends.
  grant_types            = ["authorization_code", "refresh_token"]
  refresh_token_rotation = "ROTATE"
  refresh_token_leeway   = 30

  # Where `kubectl oidc-login` waits for the browser: the second if the first is taken.
  redirect_uris             = ["http://localhost:8000", "http://localhost:18000"]
  post_logout_redirect_uris = ["http://localhost:8000", "http://localhost:18000"]
}

# Whoever is in neither group is refused before there is a token.
resource "okta_app_group_assignments" "kubectl" {
  app_id = okta_app_oauth.kubectl.id

  group {
    id       = okta_group.admins.id
    priority = 1
  }

  group {
    id       = okta_group.restricted_users.id
    priority = 2
  }
}
