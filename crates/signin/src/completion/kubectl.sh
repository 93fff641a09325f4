#!/bin/sh
# kubectl runs this, as kubectl_complete-oidc_login on PATH, to complete `kubectl oidc-login`.
exec kubectl-oidc_login __complete "$@"
