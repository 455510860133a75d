# Completion of adksess for fish. Install it with
#   adksess completion fish > ~/.config/fish/completions/adksess.fish
# or load it in ~/.config/fish/config.fish with
#   adksess completion fish | source

function __adksess_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l word (commandline --cut-at-cursor --current-token)
    command $words[1] completion fish --complete -- $words[2..] "$word" 2>/dev/null
    if test $status -eq 10
        __fish_complete_path "$word"
    end
end

complete --command adksess --no-files --arguments '(__adksess_complete)'
