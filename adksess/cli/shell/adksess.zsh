#compdef adksess
# Completion of adksess for zsh. Install it with
#   adksess completion zsh > "${fpath[1]}/_adksess"
# or load it in ~/.zshrc with
#   source <(adksess completion zsh)

_adksess() {
    local line output
    local -a candidates
    # (Q) removes quotes and expands nothing.
    output=$("${(Q)words[1]}" completion zsh --complete -- \
        "${(@Q)words[2,CURRENT - 1]}" "${(Q)PREFIX}" 2>/dev/null)
    if (( $? == 10 )); then
        _files
        return
    fi
    for line in "${(@f)output}"; do
        # `word:text` for _describe, which splits at the first colon that has no backslash
        line=${line//:/\\:}
        candidates+=("${line/$'\t'/:}")
    done
    _describe -V 'adksess' candidates
}

if (( ! $+functions[compdef] )); then
    autoload -Uz compinit && compinit
fi
if [[ $funcstack[1] == _adksess ]]; then
    _adksess "$@"  # loaded by the first completion, which wants an answer
else
    compdef _adksess adksess
fi
