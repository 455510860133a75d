# Completion of adksess for bash. Install it with
#   adksess completion bash > ~/.local/share/bash-completion/completions/adksess
# or load it in ~/.bashrc with
#   source <(adksess completion bash)

_adksess() {
    local line word start output candidate
    local -a words
    # COMP_WORDS is split at colons and equals signs, which ids may hold: split at blanks instead.
    line=${COMP_LINE:0:COMP_POINT}
    read -r -a words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    word=${words[${#words[@]} - 1]}
    COMPREPLY=()
    output=$("${words[0]}" completion bash --complete -- "${words[@]:1}" 2>/dev/null)
    if [[ $? -eq 10 ]]; then
        compopt -o default 2>/dev/null # file names, which bash quotes
        return
    fi
    # bash replaces what follows the last colon or equals sign of the word.
    start=${word%"${word##*[:=]}"}
    while IFS= read -r candidate; do
        candidate=${candidate%%$'\t'*}
        [[ -n $candidate ]] && COMPREPLY+=("${candidate#"$start"}")
    done <<<"$output"
}

complete -F _adksess adksess
