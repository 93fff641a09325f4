#compdef kubectl-oidc_login kubelogin
# Completion of kubectl-oidc_login for zsh.
_kubectl_oidc_login() {
    local line directive=4
    local -a candidates
    for line in "${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        case $line in
            :*) directive=${line#:} ;;
            *$'\t'*) candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
            ?*) candidates+=("${line//:/\\:}") ;;
        esac
    done
    # What is offered is the value alone.
    [[ ${words[CURRENT]} == --*=* ]] && compset -P '*='
    if ((directive == 0)); then
        _files
    fi
    _describe 'kubectl oidc-login' candidates
}
if [[ ${funcstack[1]} == _kubectl_oidc_login || ${funcstack[1]} == _kubectl-oidc_login ]]; then
    _kubectl_oidc_login "$@"
else
    compdef _kubectl_oidc_login kubectl-oidc_login kubelogin
fi
