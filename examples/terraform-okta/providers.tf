# Where kubesso is, and the token, come from the environment: OKTA_ORG_NAME, OKTA_BASE_URL, OKTA_API_TOKEN, and
# SSL_CERT_FILE if its certificate is from an authority of your own. `kubesso up` prints all four.

terraform {
  required_version = ">= 1.3"

  required_providers {
    okta = {
      source  = "okta/okta"
      version = ">= 3.46"
    }
  }
}

provider "okta" {
  # The provider waits half a minute before it tries again whatever failed for a moment. kubesso is near.
  min_wait_seconds = 1
  max_wait_seconds = 10
  max_retries      = 3
}
