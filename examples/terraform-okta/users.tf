# People are looked up by their addresses. Whoever is not there makes the plan fail, and nobody is created by a typing error.

data "okta_user" "admin" {
  for_each = var.admins

  search {
    name  = "profile.email"
    value = each.value
  }
}

data "okta_user" "restricted" {
  for_each = var.restricted_users

  search {
    name  = "profile.email"
    value = each.value
  }
}
