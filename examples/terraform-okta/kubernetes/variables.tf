variable "kubeconfig" {
  description = "The kubeconfig of somebody who is an administrator of the cluster."
  type        = string
  default     = "~/.kube/config"
}

variable "context" {
  description = "Its context; null: the current one."
  type        = string
  default     = null
}

variable "prefix" {
  description = "The same as in the folder above: what the names of this cluster's groups begin with."
  type        = string
  default     = "k8s-"
}

variable "oidc_prefix" {
  description = "The cluster's --oidc-groups-prefix; \"\" if it has none. The sandbox cluster of `kubesso up` has none."
  type        = string
  default     = "oidc:"
}

variable "namespaces" {
  description = "Where restricted users may look at pods and services."
  type        = set(string)
  default     = ["default"]
}
