output "issuer" {
  description = "What tokens name as their issuer."
  value       = okta_auth_server.kubernetes.issuer
}

output "client_id" {
  description = "What kubectl signs in as, and the audience of ID tokens."
  value       = okta_app_oauth.kubectl.client_id
}

output "kube_apiserver_flags" {
  description = "What kube-apiserver is started with. The file of --oidc-ca-file, if there is one, must lie on its machine."
  value = join("\n", compact([
    "--oidc-issuer-url=${okta_auth_server.kubernetes.issuer}",
    "--oidc-client-id=${okta_app_oauth.kubectl.client_id}",
    "--oidc-username-claim=email",
    "--oidc-username-prefix=${var.oidc_prefix}",
    "--oidc-groups-claim=groups",
    "--oidc-groups-prefix=${var.oidc_prefix}",
    var.certificate_authority == null ? "" : "--oidc-ca-file=${var.certificate_authority}",
  ]))
}

output "kubectl_set_credentials" {
  description = "What each person types once."
  value = join(" \\\n  ", compact([
    "kubectl config set-credentials oidc",
    "--exec-api-version=client.authentication.k8s.io/v1",
    "--exec-interactive-mode=IfAvailable",
    "--exec-command=kubectl",
    "--exec-arg=oidc-login",
    "--exec-arg=get-token",
    "--exec-arg=--oidc-issuer-url=${okta_auth_server.kubernetes.issuer}",
    "--exec-arg=--oidc-client-id=${okta_app_oauth.kubectl.client_id}",
    "--exec-arg=--oidc-extra-scope=email",
    "--exec-arg=--oidc-extra-scope=profile",
    "--exec-arg=--oidc-extra-scope=offline_access",
    var.certificate_authority == null ? "" : "--exec-arg=--certificate-authority=${var.certificate_authority}",
  ]))
}
