# Completion of kubectl-oidc_login for PowerShell.
Register-ArgumentCompleter -Native -CommandName 'kubectl-oidc_login', 'kubelogin' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $elements = @($commandAst.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursorPosition })
    $program = $elements[0].ToString()
    $before = @($elements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
    # The word at hand is asked for by itself: with a letter in front, since an empty word would be lost.
    if ($wordToComplete -ne '' -and $before.Count -gt 0) {
        $before = @($before | Select-Object -First ($before.Count - 1))
    }
    $flag = if ($wordToComplete -match '^(--[^=]*=)') { $Matches[1] } else { '' }
    & $program __completeMarked @before "_$wordToComplete" 2>$null |
        Where-Object { $_ -notlike ':*' } |
        ForEach-Object {
            $value, $description = $_ -split "`t", 2
            if (-not $description) { $description = $value }
            [System.Management.Automation.CompletionResult]::new("$flag$value", $value, 'ParameterValue', $description)
        }
}
