# Completion of kubectl-oidc_login for bash.
_kubectl_oidc_login() {
    # Bash splits words at "=", and the program does not.
    local -a asked=()
    local count=0 i word line current
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((count > 0)) && [[ $word == "=" || ${COMP_WORDS[i - 1]} == "=" ]]; then
            asked[count - 1]+=$word
        else
            asked[count++]=$word
        fi
    done
    current=${COMP_WORDS[COMP_CWORD]}
    [[ $current == "=" ]] && current=
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :0)
                compopt -o filenames 2>/dev/null
                while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current")
                ;;
            :*) ;;
            *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done < <("${COMP_WORDS[0]}" __completeNoDesc "${asked[@]}" 2>/dev/null)
}
complete -F _kubectl_oidc_login kubectl-oidc_login kubelogin
