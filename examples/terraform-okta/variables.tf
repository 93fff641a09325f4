variable "prefix" {
  description = "What the names of this cluster's groups begin with. The groups claim names these groups and no others, so that each cluster has a prefix of its own."
  type        = string
  default     = "k8s-"

  validation {
    condition     = can(regex("^[a-z0-9-]+-$", var.prefix))
    error_message = "Use small letters, digits and hyphens, and a hyphen at the end: k8s-shop-"
  }
}

variable "admins" {
  description = "E-mail addresses of those who may do everything in the cluster. The people must be there already."
  type        = set(string)
  default     = ["admin@example.com"]
}

variable "restricted_users" {
  description = "E-mail addresses of those who may look at pods and services. The people must be there already."
  type        = set(string)
  default     = ["dev@example.com"]
}

variable "token_minutes" {
  description = "How long a token is good; groups are read anew with each. kubesso's ID tokens, which kubectl uses, obey it as access tokens do."
  type        = number
  default     = 10

  validation {
    condition     = var.token_minutes >= 5 && var.token_minutes <= 1440
    error_message = "Use 5 to 1440 minutes."
  }
}

variable "sign_in_again_after_minutes" {
  description = "How long after a sign-in tokens are refreshed without another; 0: without an end."
  type        = number
  default     = 720
}

variable "sign_in_again_after_idle_minutes" {
  description = "How long kubectl may lie unused before another sign-in. Longer than token_minutes: kubectl refreshes when a token ends."
  type        = number
  default     = 120
}

variable "oidc_prefix" {
  description = "What the cluster puts before the names of people and groups, against collisions with its own. Must be the one in kubernetes/ too."
  type        = string
  default     = "oidc:"
}

variable "certificate_authority" {
  description = "File with the authority that kubesso's certificate is from, if it is one of your own: ca.crt in the data directory of `kubesso up`."
  type        = string
  default     = null
}
