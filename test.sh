#!/usr/bin/env bash
# Set up what the checks need, then run them all; the same command for a developer and for CI.
#
#   ./test.sh [--fast | --slow] [pytest arguments or paths ...]
#   ./test.sh --lock        write both lock files anew, from releases at least a week old
#
#   --fast   static checks, unit and architecture tests only
#   --slow   also the suites that take long or need a server
#
# requirements.lock holds what clawdbot needs, requirements-dev.lock that and the tools.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

mode=default
arguments=()
named=no
paths=()
venv=.venv

main() {
  read_arguments "$@"
  stage "System packages" install_system_packages
  stage "Python environment" make_environment
  export PATH="$PWD/$venv/bin:$PATH"
  if [ "$mode" = lock ]; then
    stage "Lock files" write_locks
    return
  fi
  stage "ruff" ruff check --quiet .
  stage "ruff format" ruff format --quiet --check .
  stage "mypy" mypy
  stage "import-linter" lint-imports --no-logo
  stage "shellcheck" check_scripts
  stage "pytest" run_tests
}

read_arguments() {
  local argument
  for argument in "$@"; do
    case "$argument" in
      --fast | --slow | --lock) mode=${argument#--} ;;
      --help) sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit ;;
      *) if [ -e "${argument%%::*}" ]; then paths+=("$argument"); else arguments+=("$argument") && named=yes; fi ;;
    esac
  done
}

# Run a step under a heading; its time follows.
stage() {
  local name=$1 start=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@" </dev/null
  printf '   %d s\n' $((SECONDS - start))
}

install_system_packages() {
  local missing=()
  command -v python3 >/dev/null || missing+=(python3)
  [ -x $venv/bin/python ] || python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
  need shellcheck shellcheck
  if [ "$mode" = default ] || [ "$mode" = slow ]; then
    need chromium chromium
    need chromedriver chromium-driver
    need strace strace
    need bats bats
    need ps procps
    need bwrap bubblewrap
    compgen -G '/usr/share/fonts/*/noto/NotoSansCJK-*' >/dev/null || missing+=(fonts-noto-cjk)
  fi
  if [ "$mode" = slow ]; then
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
  fi
  [ ${#missing[@]} -gt 0 ] || return 0
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
  if ! command -v apt-get >/dev/null || ! command -v "${as_root[@]:-env}" >/dev/null; then
    echo "Install these first: ${missing[*]}" >&2
    return 1
  fi
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# Note a package as missing where its command is.
need() {
  command -v "$1" >/dev/null || missing+=("$2")
}

make_environment() {
  local stamp=$venv/clawdbot.stamp state
  if ! $venv/bin/python -c 'pass' 2>/dev/null; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
      { echo "Python 3.11 or newer is needed, this is $(python3 --version)." >&2 && return 1; }
    rm -rf $venv
    python3 -m venv $venv
  fi
  state=$({ $venv/bin/python --version && cat requirements-dev.lock pyproject.toml; } | sha256sum)
  [ "$state" != "$(cat $stamp 2>/dev/null)" ] || return 0
  awk '/^[a-z]/ { wanted = /^uv==/ } wanted' requirements-dev.lock >$venv/installer.txt
  $venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
    -r $venv/installer.txt
  $venv/bin/uv pip sync --quiet --python $venv/bin/python --require-hashes requirements-dev.lock
  # The build backend comes from the lock too: no isolation.
  $venv/bin/uv pip install --quiet --python $venv/bin/python --no-deps --no-build-isolation \
    --editable .
  printf '%s\n' "$state" >$stamp
}

write_locks() {
  local week_ago
  week_ago=$(date -u -d '7 days ago' +%F)
  export UV_CUSTOM_COMPILE_COMMAND="./test.sh --lock"
  local compile=(uv pip compile --quiet --upgrade --universal --generate-hashes
    --no-emit-index-url --exclude-newer "$week_ago" pyproject.toml)
  "${compile[@]}" -o requirements.lock
  "${compile[@]}" --group dev --constraint requirements.lock -o requirements-dev.lock
}

check_scripts() {
  find . \( -name .venv -o -name .git \) -prune -o \
    -type f \( -name '*.sh' -o -path './.ci/*' \) -print0 | xargs -0 shellcheck
}

# Suite after suite, spread over the processors; what is named is run in one process and plainly.
run_tests() {
  local suite suites=(unit architecture) failed=() spread=() covered
  [ "$mode" = fast ] || suites+=(contract integration attack journey)
  if [ "$mode" = slow ]; then
    suites+=(spikes)
    arguments+=(-m "slow or not slow")
  fi
  if [ ${#paths[@]} -gt 0 ] || [ "$named" = yes ]; then
    [ ${#paths[@]} -gt 0 ] || paths=("${suites[@]/#/tests/}")
    pytest "${arguments[@]}" "${paths[@]}"
    return
  fi
  # Most tests wait more than they work.
  spread=(--numprocesses 4)
  rm -f .coverage
  for suite in "${suites[@]}"; do
    printf '\n-- %s\n' "$suite"
    covered=()
    # Coverage costs a third of the time: only where our code runs in the tests' own process.
    case "$mode $suite" in
      fast*) ;;
      *unit | *contract | *integration | *attack) covered=(--cov --cov-append --cov-report=) ;;
    esac
    # A journey's file shares an installation or a service: it stays with one worker.
    case $suite in
      journey) spread+=(--dist loadfile --no-loadscope-reorder) ;;
      *) spread+=(--dist worksteal) ;;
    esac
    pytest -q "${spread[@]}" "${covered[@]}" "${arguments[@]}" "tests/$suite" || failed+=("$suite")
  done
  [ "$mode" = fast ] || coverage report --skip-covered
  [ ${#failed[@]} -eq 0 ] || { echo "Failed: ${failed[*]}" >&2 && return 1; }
}

main "$@"
