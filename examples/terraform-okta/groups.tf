resource "okta_group" "admins" {
  name        = "${var.prefix}admins"
  description = "May do everything in the cluster"
}

resource "okta_group" "restricted_users" {
  name        = "${var.prefix}restricted-users"
  description = "May look at pods and services"
}

resource "okta_group_memberships" "admins" {
  group_id = okta_group.admins.id
  users    = [for person in data.okta_user.admin : person.id]
}

resource "okta_group_memberships" "restricted_users" {
  group_id = okta_group.restricted_users.id
  users    = [for person in data.okta_user.restricted : person.id]
}
