# Who may do what in the cluster. Apply it as somebody who is its administrator already.

terraform {
  required_version = ">= 1.3"

  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 2.20"
    }
  }
}

provider "kubernetes" {
  config_path    = var.kubeconfig
  config_context = var.context
}

locals {
  # A group as the cluster sees it: its own prefix before the name in the token.
  admins           = "${var.oidc_prefix}${var.prefix}admins"
  restricted_users = "${var.oidc_prefix}${var.prefix}restricted-users"
}

resource "kubernetes_cluster_role_binding_v1" "admins" {
  metadata {
    name = "${var.prefix}admins"
  }

  role_ref {
    api_group = "rbac.authorization.k8s.io"
    kind      = "ClusterRole"
    name      = "cluster-admin"
  }

  subject {
    api_group = "rbac.authorization.k8s.io"
    kind      = "Group"
    name      = local.admins
  }
}

# A ClusterRole, so that one definition serves every namespace that it is bound in. By itself it allows nothing.
resource "kubernetes_cluster_role_v1" "restricted_users" {
  metadata {
    name = "${var.prefix}restricted-users"
  }

  rule {
    api_groups = [""]
    resources  = ["pods", "services"]
    verbs      = ["get", "list", "watch"]
  }
}

resource "kubernetes_role_binding_v1" "restricted_users" {
  for_each = var.namespaces

  metadata {
    name      = "${var.prefix}restricted-users"
    namespace = each.value
  }

  role_ref {
    api_group = "rbac.authorization.k8s.io"
    kind      = "ClusterRole"
    name      = kubernetes_cluster_role_v1.restricted_users.metadata[0].name
  }

  subject {
    api_group = "rbac.authorization.k8s.io"
    kind      = "Group"
    name      = local.restricted_users
  }
}
