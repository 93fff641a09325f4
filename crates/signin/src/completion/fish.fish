# Completion of kubectl-oidc_login for fish.
function __kubectl_oidc_login
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    # What is answered is the value alone, and fish replaces the whole word.
    set -l flag (string match -r -- '^--[^=]*=' "$current")
    for line in ($before[1] __complete $before[2..-1] "$current" 2>/dev/null)
        if test "$line" = ':0'
            __fish_complete_path (string replace -- "$flag" '' "$current") | string replace -r -- '^' "$flag"
        else if not string match -q -- ':*' "$line"
            echo "$flag$line"
        end
    end
end
complete -c kubectl-oidc_login -f -a '(__kubectl_oidc_login)'
complete -c kubelogin -f -a '(__kubectl_oidc_login)'
