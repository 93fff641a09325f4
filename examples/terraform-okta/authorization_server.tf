# The issuer. `audiences` goes into access tokens, which Kubernetes does not read: an ID token's audience is the client id.
resource "okta_auth_server" "kubernetes" {
  name        = "${var.prefix}auth"
  description = "Tokens for the cluster"
  audiences   = ["kubernetes"]
}

resource "okta_auth_server_claim" "groups" {
  auth_server_id          = okta_auth_server.kubernetes.id
  name                    = "groups"
  claim_type              = "IDENTITY"
  value_type              = "GROUPS"
  group_filter_type       = "STARTS_WITH"
  value                   = var.prefix
  always_include_in_token = true
}

resource "okta_auth_server_policy" "kubectl" {
  auth_server_id   = okta_auth_server.kubernetes.id
  name             = "kubectl"
  description      = "Who signs in with kubectl"
  priority         = 1
  client_whitelist = [okta_app_oauth.kubectl.client_id]
}

resource "okta_auth_server_policy_rule" "browser" {
  auth_server_id       = okta_auth_server.kubernetes.id
  policy_id            = okta_auth_server_policy.kubectl.id
  name                 = "Browser, PKCE"
  priority             = 1
  grant_type_whitelist = ["authorization_code"]
  scope_whitelist      = ["*"]
  group_whitelist      = ["EVERYONE"] # whom the application is assigned to

  access_token_lifetime_minutes  = var.token_minutes
  refresh_token_lifetime_minutes = var.sign_in_again_after_minutes
  refresh_token_window_minutes   = var.sign_in_again_after_idle_minutes

  lifecycle {
    precondition {
      condition     = var.sign_in_again_after_idle_minutes > var.token_minutes
      error_message = "kubectl refreshes when its token ends: sign_in_again_after_idle_minutes must be longer than token_minutes."
    }
  }
}
