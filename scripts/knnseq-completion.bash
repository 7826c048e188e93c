# Completes knnseq's command line in bash: stages, options, files, keys of --set, and the names of a config's
# items. What there is to complete is asked of the program itself, once in a shell.
#   source scripts/knnseq-completion.bash        (cmake --install puts it where bash-completion finds it)
# shellcheck shell=bash

declare -gA _knnseq_known

# What the program prints with these arguments, once.
_knnseq_ask() {
  local question="$*"
  if [ -z "${_knnseq_known[$question]+known}" ]; then
    _knnseq_known[$question]=$("$@" 2> /dev/null)
  fi
  printf '%s\n' "${_knnseq_known[$question]}"
}

# Names of the items of a config's list ("decode"), each on a line with "name:".
_knnseq_names() {
  awk -v list="$1:" '/^[^ #-]/ {inside = $1 == list}
    inside && match($0, /name: *[A-Za-z0-9._-]+/) {
      name = substr($0, RSTART, RLENGTH); sub(/name: */, "", name); print name
    }' "$2" 2> /dev/null
}

_knnseq() {
  local program=${COMP_WORDS[0]/#\~/$HOME} current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local i stage='' config='' offered=''
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      --config) config=${COMP_WORDS[i + 1]/#\~/$HOME}; ((++i)) ;;
      --run | --set) ((++i)) ;;
      -* | =) ;;
      *) [ -n "$stage" ] || stage=${COMP_WORDS[i]} ;;
    esac
  done
  COMPREPLY=()
  case $before in
    --config) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --run) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    =) return ;;
    --set)
      compopt -o nospace 2> /dev/null
      # "decode[].k" in the help is decode.0.k, decode.1.k, … on the command line.
      offered=$(_knnseq_ask "$program" "${stage:-run}" --help |
        awk '/^keys of the config/ {keys = 1} keys && /^  [a-z]/ {sub(/\[\]/, ".0", $1); print $1 "="}') ;;
    *)
      if [[ $current == -* ]]; then
        offered='--list --version --help'
        if [ -n "$stage" ]; then
          offered="--config --set --help $(_knnseq_ask "$program" "$stage" --help | awk '/^  --/ {print $1}')"
        fi
        if [ "$stage" = run ]; then offered+=' --check --check=inputs --list'; fi
      elif [ -z "$stage" ]; then
        offered=$(_knnseq_ask "$program" --list | cut -d' ' -f1)
      elif [ -n "$config" ]; then
        case $stage in
          append) offered=$(_knnseq_names append "$config") ;;
          decode | translate | serve) offered=$(_knnseq_names decode "$config") ;;
        esac
      fi ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$offered" -- "$current")
}
complete -F _knnseq knnseq knnseq-cuda
