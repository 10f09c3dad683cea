#!/usr/bin/env bash
# Install clawdbot for the user who runs this, all in two folders of theirs; `--help` tells more.
#
#   ./install.sh --start                                from a checkout
#   curl -fsSL <host>/install.sh | bash -s -- --start   without one
#
# It promises: nothing half-made stays behind, a second run changes nothing, data is never touched.
# It runs on bash 3.2 (macOS): no associative arrays, no mapfile, no ${name,,}, no bare empty array.
set -euo pipefail

# Who serves this file for `curl ... | bash` writes the address of the sources here.
default_source=""

script=${BASH_SOURCE[0]:-/dev/null} # through a pipe there is no file, and no checkout around it

port=8080
own_python=3.13 # brought where the host's is too old
# What --with adds, of the libraries in requirements-dev.lock.
selenium_libraries='attrs certifi h11 outcome pysocks selenium sniffio sortedcontainers trio
  trio-websocket typing-extensions urllib3 websocket-client wsproto'
mcp_libraries='annotated-types anyio attrs cffi cryptography h11 httpcore2 httpx2 idna jsonschema
  jsonschema-specifications mcp mcp-types opentelemetry-api pycparser pydantic pydantic-core pyjwt
  python-multipart referencing rpds-py sse-starlette starlette truststore typing-extensions
  typing-inspection uvicorn'
apparmor=/etc/apparmor.d/clawdbot-bwrap

mode=install
start=false
browser=false
mcp=false
yes=false
source_url=""
sources=""
target=""
language=en
holding=false
told=false

main() {
  umask go-w
  exec </dev/null # through a pipe this is the script itself, and no child may eat it
  exec 3>&2       # a step writes into the log, an error still reaches the terminal
  choose_language
  read_arguments "$@"
  name_places
  case $mode in
    help) help ;;
    uninstall) uninstall ;;
    *) install ;;
  esac
}

choose_language() {
  case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in
    zh*) language=zh ;;
  esac
}

read_arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --start) start=true ;;
      -y | --yes) yes=true ;;
      --with)
        case ${2:-} in
          browser) browser=true ;;
          mcp) mcp=true ;;
          *) misuse "$1" ;;
        esac
        shift
        ;;
      --dry-run) mode=plan ;;
      --uninstall) mode=uninstall ;;
      -h | --help) mode=help ;;
      --source)
        [ -n "${2:-}" ] || misuse "$1"
        source_url=$2
        shift
        ;;
      *) misuse "$1" ;;
    esac
    shift
  done
}

misuse() {
  told=true
  say 'install.sh does not know "%s", or misses a value behind it. See install.sh --help.' \
    'install.sh 不认识“%s”，或者它后面缺少内容。请看 install.sh --help。' "$1" >&2
  exit 2
}

name_places() {
  HOME=${HOME:-$(cd ~ && pwd)}
  if [ "$(id -u)" -eq 0 ] && [ ! -O "$HOME" ]; then
    fail 'You are root, but %s belongs to another user. Run this without sudo, or with "sudo -H".' \
      '当前用户是 root，但 %s 属于另一个用户。请不要使用 sudo，或者使用“sudo -H”。' "$HOME"
  fi
  prefix=${CLAWDBOT_PREFIX:-$HOME/.local/share/clawdbot}
  case $prefix in
    /*) ;;
    *) prefix=$PWD/$prefix ;;
  esac
  work=$prefix/installing
  log=$prefix/install.log
  bin=$HOME/.local/bin
  launcher=$bin/clawdbot
  data=${CLAWDBOT_HOME:-$HOME/.clawdbot}
}

install() {
  trap leave EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  isolate
  check_host
  find_sources
  if [ -n "$source_url" ] && [ $mode = install ]; then fetch_sources; fi
  if [ -n "$sources" ]; then name_target; fi
  if is_complete; then
    say 'clawdbot %s is already in %s.' 'clawdbot %s 已经安装在 %s。' "$version" "$target"
  elif [ $mode = plan ]; then
    plan
  else
    build
  fi
  if [ $mode = plan ]; then
    say 'Nothing was changed.' '没有做任何改动。'
    return
  fi
  add_sandbox
  allow_boxes
  if $browser; then add_browser; fi
  if $mcp; then add_mcp; fi
  activate
  release
  tell_next
  if $start; then
    exec "$prefix/current/bin/clawdbot" start 3>&-
  fi
}

# The user's own settings of pip (a mirror, a proxy, a certificate) hold; what would send the
# libraries elsewhere or load strange modules does not.
isolate() {
  unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_VIRTUALENV CDPATH
  export PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1
  export PIP_CACHE_DIR="${PIP_CACHE_DIR:-$prefix/cache}"
}

# --- The host: told, never forced

check_host() {
  local system oldest="" known=true memory disk folder=$prefix
  while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
  disk=$(free_disk "$folder")
  case $(uname -s) in
    Darwin)
      system="macOS $(sw_vers -productVersion)"
      memory=$(sysctl -n hw.memsize | awk '{ printf "%.1f", $1 / 1e9 }')
      ;;
    *)
      system=$(linux_release)
      memory=$(awk '/^MemTotal:/ { printf "%.1f", $2 * 1024 / 1e9 }' /proc/meminfo)
      case $system in
        ubuntu\ *) oldest=20.04 ;;
        debian\ *) oldest=11 ;;
        *) known=false ;;
      esac
      ;;
  esac
  say 'Host: %s, %s, %s GB memory, %s GB free' '主机：%s，%s，内存 %s GB，可用磁盘 %s GB' \
    "$system" "$(uname -m)" "$memory" "$disk"
  if ! $known || is_less "${system#* }" "${oldest:-0}"; then
    note 'clawdbot is made for Ubuntu 20.04, Debian 11, macOS, or newer; here it may work.' \
      'clawdbot 面向 Ubuntu 20.04、Debian 11、macOS 或更新的系统；在这里也许可用。'
  fi
  case $(uname -m) in
    x86_64 | aarch64 | arm64) ;;
    *)
      note 'For this processor some libraries may not exist ready-made.' \
        '这种处理器可能缺少某些预编译的库。'
      ;;
  esac
  if is_less "$memory" 8; then
    note '8 GB of memory are recommended.' '建议内存 8 GB。'
  fi
  if is_less "$disk" 50; then
    note '50 GB of free disk are recommended.' '建议可用磁盘 50 GB。'
  fi
  if [ ! -e "$prefix/current" ]; then
    note 'A public address is needed only where a platform calls you (webhooks).' \
      '只有平台需要回调时（webhook）才需要公网地址。'
  fi
  if (exec 4<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    note 'Port %s is in use. Where that is not clawdbot itself, choose another: clawdbot start --port %s' \
      '端口 %s 已被占用。如果不是 clawdbot 自己，请另选一个：clawdbot start --port %s' "$port" $((port + 1))
  fi
}

free_disk() {
  df -Pk "$1" | awk 'NR == 2 { printf "%.1f", $4 * 1024 / 1e9 }'
}

linux_release() {
  (
    # shellcheck source=/dev/null
    if [ -r /etc/os-release ]; then . /etc/os-release; fi
    printf '%s %s' "${ID:-linux}" "${VERSION_ID:-99}" # a rolling release names no version
  )
}

is_less() {
  awk -v a="$1" -v b="$2" 'BEGIN { exit !(a + 0 < b + 0) }'
}

# --- The sources

find_sources() {
  local here
  if [ -z "$source_url" ]; then
    here=$(dirname "$script")
    if is_checkout "$here"; then
      sources=$(cd "$here" && pwd)
      return
    fi
    source_url=${CLAWDBOT_SOURCE:-$default_source}
  fi
  if is_checkout "${source_url:-/dev}"; then
    sources=$(cd "$source_url" && pwd)
    source_url=""
  fi
  case $source_url in
    http://127.0.0.1[:/]* | http://localhost[:/]*) ;;
    http://* | git://*)
      fail '%s can be changed on its way: it is not encrypted. Use https:// or ssh://.' \
        '%s 没有加密，传输途中可能被篡改。请使用 https:// 或 ssh://。' "$source_url"
      ;;
    "")
      [ -n "$sources" ] ||
        fail 'This script stands in no checkout of clawdbot: nothing to install.
Name the sources (or set CLAWDBOT_SOURCE): --source https://host/clawdbot.git, or .tar.gz' \
          '本脚本不在 clawdbot 的代码目录中：没有可安装的内容。
请指定源代码（或设置 CLAWDBOT_SOURCE）：--source https://host/clawdbot.git，或 .tar.gz'
      ;;
  esac
}

is_checkout() {
  [ -f "$1/src/clawdbot/__init__.py" ] && [ -f "$1/pyproject.toml" ] && [ -f "$1/requirements.lock" ]
}

fetch_sources() {
  hold
  sources=$work/sources
  step 'Fetching the sources' '获取源代码' fetch
  is_checkout "$sources" ||
    fail '%s does not hold clawdbot. Check the address.' '%s 里没有 clawdbot。请检查地址。' "$source_url"
}

fetch() {
  case $source_url in
    *.tar.gz | *.tgz)
      mkdir "$sources"
      curl -fsSL --proto-redir '=https' -o "$work/sources.tar.gz" "$source_url"
      tar -xzf "$work/sources.tar.gz" -C "$sources" --strip-components 1 --no-same-owner
      ;;
    *) git clone --quiet --depth 1 -- "$source_url" "$sources" ;;
  esac
}

# --- The environment

# A version's folder is named after what goes into it, so that what is there needs no second look.
name_target() {
  version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$sources/pyproject.toml")
  target=$prefix/versions/$version-$(fingerprint)
}

fingerprint() {
  local checksum=sha256sum
  command -v $checksum >/dev/null || checksum="shasum -a 256"
  cd "$sources"
  # shellcheck disable=SC2086  # a command with its arguments
  find src hatch_build.py pyproject.toml requirements.lock -name __pycache__ -prune -o -type f -print |
    LC_ALL=C sort | tr '\n' '\0' | xargs -0 $checksum | $checksum | cut -c 1-12
}

# The marker is written last; the import notices an interpreter that was replaced by another.
is_complete() {
  [ -n "$target" ] && [ -f "$target/complete" ] && "$target/bin/python" -IBc 'import clawdbot' 2>/dev/null
}

build() {
  hold
  say 'Installing clawdbot %s into %s' '正在安装 clawdbot %s 到 %s' "$version" "$target"
  choose_python
  if [ -n "$packages" ]; then
    install_packages
    choose_python
  fi
  if $bring; then
    step "Bringing Python $own_python" "下载 Python $own_python" bring_python
    choose_python
  fi
  if $bring || [ -n "$packages" ]; then
    fail 'No usable Python came of this, see %s.
Install Python 3.11 or newer with its venv module, then run this again.' \
      '仍然没有可用的 Python，详见 %s。
请安装 Python 3.11 或更新版本（包括 venv 模块），然后重新运行。' "$log"
  fi
  step 'Preparing the tools' '准备工具' make_tools
  step 'Installing the libraries' '安装依赖库' install_libraries
  step 'Installing clawdbot' '安装 clawdbot' install_clawdbot
}

# Find the interpreter: `packages` is what apt must add to it, `bring` says that it is too old.
choose_python() {
  local name lacking=""
  packages=""
  bring=false
  for name in python3 python3.14 python3.13 python3.12 python3.11 "$prefix"/python/*/bin/python3; do
    python=$name
    if can 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))'; then return; fi
    if can 'import sys; sys.exit(sys.version_info < (3, 11))'; then lacking=${lacking:-$name}; fi
  done
  if [ -n "$lacking" ]; then
    python=$lacking
    packages="$lacking-venv"
    return
  fi
  python=python3
  bring=true
  can 'import ensurepip, venv' || packages="python3 python3-venv"
}

can() {
  command -v "$python" >/dev/null && "$python" -IBc "$1" >/dev/null 2>&1
}

install_packages() {
  if ! command -v apt-get >/dev/null; then
    fail 'Python is missing, or what makes its environments (venv, ensurepip).
Install Python 3.11 or newer with your package manager, then run this again.' \
      '系统没有 Python，或者缺少创建环境的模块（venv、ensurepip）。
请用系统的包管理器安装 Python 3.11 或更新版本，然后重新运行。'
  fi
  if ! may_install; then
    fail 'A system package is missing, and only an administrator can install it.
Run this, then install.sh again: %s' \
      '缺少系统软件包，只有管理员可以安装。
请先执行以下命令，再运行 install.sh：%s' "$by_hand"
  fi
  step "Installing $packages" "安装 $packages" apt_install
}

# Tell whether we may install the packages; `by_hand` is how an administrator does it.
may_install() {
  may_run "apt-get install $packages"
}

# Tell whether we may run this as root.
may_run() {
  by_hand=$1
  as_root=""
  if [ "$(id -u)" -eq 0 ]; then return; fi
  if ! command -v sudo >/dev/null; then
    by_hand="su -c '$by_hand'"
    return 1
  fi
  as_root=sudo
  by_hand="sudo $by_hand"
  agree "$by_hand"
}

# Without bubblewrap clawdbot answers, but may have nothing safe to run commands in.
add_sandbox() {
  if has_sandbox; then return; fi
  packages=bubblewrap
  by_hand="bubblewrap"
  if command -v apt-get >/dev/null && may_install &&
    step "Installing $packages" "安装 $packages" apt_install; then
    return
  fi
  note 'Commands and plugins run best in bubblewrap, which is missing. Install it: %s' \
    '命令和插件最好在 bubblewrap 中运行，但系统未安装。请安装：%s' "$by_hand"
}

has_sandbox() {
  [ "$(uname -s)" != Linux ] || command -v bwrap >/dev/null
}

# Ubuntu since 23.10 lets an ordinary user's program make namespaces where a profile says so.
allow_boxes() {
  if ! is_restricted || bwrap --unshare-user --ro-bind / / true 2>/dev/null; then return; fi
  if may_run "tee $apparmor && apparmor_parser -r $apparmor" &&
    step 'Letting bubblewrap make boxes' '允许 bubblewrap 创建盒子' allow_bubblewrap; then
    return
  fi
  note 'AppArmor keeps bubblewrap from making boxes. This names the lines that let it: clawdbot doctor' \
    'AppArmor 不允许 bubblewrap 创建盒子。执行 clawdbot doctor 可看到放行的命令。'
}

is_restricted() {
  [ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null)" = 1 ] &&
    command -v bwrap >/dev/null
}

allow_bubblewrap() {
  $as_root tee "$apparmor" <<'END' && $as_root apparmor_parser -r "$apparmor"
abi <abi/4.0>,
profile clawdbot-bwrap /usr/bin/bwrap flags=(unconfined) { userns, }
END
}

# What the browser's tools and tasks need: Chromium with its driver, and Selenium for plugins.
add_browser() {
  if ! has selenium.webdriver.remote.webdriver; then
    hold
    # shellcheck disable=SC2086  # a list
    step 'Installing Selenium' '安装 Selenium' install_more $selenium_libraries
  fi
  if has_chromium; then return; fi
  packages="chromium chromium-driver"
  by_hand=$packages
  if command -v apt-get >/dev/null && may_install &&
    step "Installing $packages" "安装 $packages" apt_install && has_chromium; then
    return
  fi
  note 'The browser needs Chromium in /usr/lib/chromium, and its driver. Install them: %s' \
    '浏览器需要 /usr/lib/chromium 中的 Chromium 及其驱动。请安装：%s' "$by_hand"
}

has_chromium() {
  [ -x /usr/lib/chromium/chromium ] && [ -x /usr/bin/chromedriver ]
}

# What the tools of other servers need: the library of the Model Context Protocol.
add_mcp() {
  if has mcp; then return; fi
  hold
  # shellcheck disable=SC2086  # a list
  step 'Installing the library of tool servers' '安装工具服务器的依赖库' install_more $mcp_libraries
}

has() {
  "$target/bin/python" -IBc "import $1" 2>/dev/null
}

install_more() {
  locked "$@" >"$work/more.lock"
  if [ ! -x "$work/tools/bin/python" ]; then
    choose_python
    "$python" -Im venv "$work/tools"
  fi
  pip --python "$target/bin/python" install --require-hashes --only-binary :all: --no-deps \
    -r "$work/more.lock"
}

# Ask on the terminal, which is there even where the script itself comes through a pipe.
agree() {
  local answer=""
  if $yes; then return; fi
  (: </dev/tty) 2>/dev/null || return 1
  say 'The system lacks something. May I run "%s"? [y/N]' \
    '系统缺少必要的软件包或设置。可以执行“%s”吗？[y/N]' "$1" >/dev/tty
  read -r answer </dev/tty || true
  case $answer in
    [yY]* | 是* | 好*) ;;
    *) return 1 ;;
  esac
}

apt_install() {
  $as_root apt-get -q update || true # a broken foreign source is no obstacle, `install` is the judge
  # shellcheck disable=SC2086  # a list
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 \
    install --no-install-recommends $packages
}

bring_python() {
  "$python" -Im venv "$work/tools"
  install_locked uv
  UV_PYTHON_INSTALL_DIR=$prefix/python "$work/tools/bin/uv" --no-config --no-cache \
    python install --no-bin "$own_python"
}

# pip and the build backend stay out of the finished environment.
make_tools() {
  "$python" -Im venv --clear "$work/tools"
  install_locked hatchling packaging pathspec pluggy trove-classifiers
}

install_locked() {
  locked "$@" >"$work/tools.lock"
  pip install --require-hashes --only-binary :all: --no-deps -r "$work/tools.lock"
}

# Print the lines of these libraries, with their hashes.
locked() {
  awk -v names=" $* " '/^[a-z]/ { split($1, part, "=="); wanted = index(names, " " part[1] " ") } wanted' \
    "$sources/requirements-dev.lock"
}

install_libraries() {
  rm -rf "$target"
  "$python" -Im venv --without-pip "$target"
  pip --python "$target/bin/python" install --require-hashes --only-binary :all: --no-deps \
    -r "$sources/requirements.lock"
}

install_clawdbot() {
  pip wheel --no-deps --no-build-isolation --wheel-dir "$work" "$sources"
  pip --python "$target/bin/python" install --no-deps --no-index "$work"/clawdbot-*.whl
  "$target/bin/clawdbot" --version
  printf '%s\n' "$version" >"$target/complete"
}

pip() {
  "$work/tools/bin/python" -Im pip "$@"
}

# Point `current` and the launcher to the version; both are left alone where they do already.
activate() {
  local name=versions/${target##*/}
  if [ "$(readlink "$prefix/current")" != "$name" ]; then
    ln -s "$name" "$prefix/current.$$"
    "$target/bin/python" -IBc 'import os, sys; os.replace(*sys.argv[1:])' "$prefix/current.$$" "$prefix/current"
  fi
  if is_launcher_ours; then return; fi
  if [ -e "$launcher" ] || [ -L "$launcher" ]; then
    note '%s is not ours and stays as it is. Call %s instead.' \
      '%s 不是本脚本创建的，保持不变。请使用 %s。' \
      "$launcher" "$prefix/current/bin/clawdbot"
    return
  fi
  mkdir -p "$bin"
  ln -s "$prefix/current/bin/clawdbot" "$launcher"
}

is_launcher_ours() {
  [ "$(readlink "$launcher")" = "$prefix/current/bin/clawdbot" ]
}

# --- One installation at a time, and nothing half-made

# The lock is a symbolic link that points to a process id: made in one call, readable by whoever
# finds it.
hold() {
  local owner
  if $holding; then return; fi
  mkdir -p "$prefix" 2>/dev/null || true
  if [ ! -w "$prefix" ] || { ! is_ours && [ -n "$(ls -A "$prefix")" ]; }; then
    fail '%s cannot be written, or holds other files. Choose an empty folder by CLAWDBOT_PREFIX.' \
      '无法写入 %s，或其中有其他文件。请用 CLAWDBOT_PREFIX 另选一个空文件夹。' "$prefix"
  fi
  if ! ln -s $$ "$prefix/install.lock" 2>/dev/null; then
    owner=$(readlink "$prefix/install.lock" || true)
    if kill -0 "$owner" 2>/dev/null; then
      fail 'Another installation (process %s) is at work. Wait for it, then run this again.' \
        '另一个安装（进程 %s）正在进行。请等它结束后再运行。' "$owner"
    fi
    ln -sf $$ "$prefix/install.lock"
  fi
  holding=true
  sweep
  mkdir "$work"
  : >"$log"
}

# What is not ours is never swept: the user may name any folder.
is_ours() {
  [ -e "$log" ] || [ -L "$prefix/install.lock" ] || [ -L "$prefix/current" ]
}

# Remove what an installation leaves when it is cut short, this one or one before it.
sweep() {
  local made
  for made in "$prefix"/versions/*; do
    if [ ! -f "$made/complete" ]; then rm -rf "$made"; fi
  done
  rm -rf "$work"
}

release() {
  if $holding; then
    sweep
    rm -f "$prefix/install.lock"
    holding=false
  fi
}

# What runs in here uses no `return`: inside a signal's trap bash 5.2 leaves the whole trap by it.
leave() {
  local status=$?
  trap - EXIT
  trap '' HUP INT TERM
  if [ $status -ne 0 ] && ! $told; then explain $status >&3; fi
  release
  exit $status
}

# --- What the user reads

# Say a sentence in the user's language; both take the same values.
say() {
  local sentence=$1
  if [ $language = zh ]; then sentence=$2; fi
  shift 2
  # shellcheck disable=SC2059  # the sentence is the format
  printf "$sentence\n" "$@"
}

note() {
  printf '  ! '
  say "$@"
}

# Say what happened, why, and what to do next; then stop.
fail() {
  told=true
  say "Error: $1" "错误：$2" "${@:3}" >&3
  exit 1
}

# Run a step; its output goes into the log, its name and time to the user.
step() {
  local began=$SECONDS
  printf '  %s ... ' "$(say "$1" "$2")"
  shift 2
  "$@" >>"$log" 2>&1
  printf '%s s\n' $((SECONDS - began))
}

explain() {
  if [ "$1" -gt 128 ]; then
    say '\nStopped. Nothing half-made stays behind.' '\n已停止。没有留下半成品。'
  elif $holding; then
    say '\nError: this step failed. Its last lines:' '\n错误：这一步失败了。最后的输出：'
    tail -n 8 "$log" | sed 's/^/    /'
    remedy
    say 'Nothing half-made stays behind. The whole log: %s' '没有留下半成品。完整日志：%s' "$log"
  else
    say 'Error: install.sh ended with status %s, which it should not. Please tell us.' \
      '错误：install.sh 意外结束，状态 %s。请告诉我们。' "$1"
  fi
}

remedy() {
  if is_less "$(free_disk "$prefix")" 0.1; then
    say 'The disk is full: free 1 GB, then run this again.' '磁盘已满：请腾出 1 GB 后重新运行。'
  elif grep -q 'DO NOT MATCH THE HASHES' "$log"; then
    say 'A library differs from what clawdbot was checked with. Check your mirror, or tell us.' \
      '有依赖库与 clawdbot 核对过的不一致。请检查镜像，或告诉我们。'
  elif grep -q 'python-build-standalone' "$log"; then
    say 'Python %s comes from GitHub. Name a mirror (UV_PYTHON_INSTALL_MIRROR), or install it yourself.' \
      'Python %s 来自 GitHub。请指定镜像（UV_PYTHON_INSTALL_MIRROR），或自行安装。' $own_python
  elif grep -q 'No matching distribution' "$log"; then
    say 'No ready-made library was found for this system, or the package index cannot be reached.' \
      '没有适合本系统的预编译库，或者无法访问软件包索引。'
  else
    say 'Mend that (for the network: HTTPS_PROXY, or a mirror by pip config), then run this again.' \
      '请先解决（网络问题：HTTPS_PROXY，或用 pip config 设置镜像），然后重新运行。'
  fi
}

plan() {
  choose_python
  say 'This would be done:' '将执行：'
  if [ -n "$source_url" ]; then say '  - fetch %s' '  - 获取 %s' "$source_url"; fi
  if [ -n "$packages" ]; then
    say '  - apt-get install %s (as root, or after asking)' \
      '  - apt-get install %s（以 root 身份，或征得同意后）' "$packages"
  fi
  if ! has_sandbox; then
    say '  - apt-get install bubblewrap (as root, or after asking)' \
      '  - apt-get install bubblewrap（以 root 身份，或征得同意后）'
  fi
  if is_restricted; then
    say '  - let bubblewrap make boxes, by %s (as root, or after asking)' \
      '  - 通过 %s 允许 bubblewrap 创建盒子（以 root 身份，或征得同意后）' $apparmor
  fi
  if $bring; then say '  - bring Python %s into %s' '  - 下载 Python %s 到 %s' $own_python "$prefix/python"; fi
  say '  - make an environment in %s' '  - 在 %s 创建环境' "${target:-$prefix/versions}"
  say '  - install the libraries of requirements.lock, each checked by its hash' \
    '  - 安装 requirements.lock 中的依赖库，逐一核对哈希'
  if $browser; then
    say '  - install Selenium, and with apt-get: chromium chromium-driver' \
      '  - 安装 Selenium，并用 apt-get 安装：chromium chromium-driver'
  fi
  if $mcp; then
    say '  - install mcp and what it needs' '  - 安装 mcp 及其依赖'
  fi
  say '  - install clawdbot, with %s as its command' '  - 安装 clawdbot，命令为 %s' "$launcher"
  if $start; then say '  - run: clawdbot start' '  - 执行：clawdbot start'; fi
}

tell_next() {
  local shell=${SHELL:-bash} command=clawdbot
  case :$PATH: in
    *":$bin:"*) ;;
    *)
      command=$(printf '%q' "$launcher")
      # shellcheck disable=SC2016  # the user's shell is to expand it
      say 'The command is not on your PATH yet. Add to your shell'\''s profile: export PATH="%s:$PATH"' \
        '命令还不在 PATH 中。请在 shell 配置中加入：export PATH="%s:$PATH"' "$bin"
      ;;
  esac
  case ${shell##*/} in
    fish) say 'Completion: %s' '命令补全：%s' 'clawdbot completion fish | source' ;;
    bash | zsh) say 'Completion: %s' '命令补全：%s' "eval \"\$(clawdbot completion ${shell##*/})\"" ;;
  esac
  if ! $start; then say 'Start it: %s start' '启动：%s start' "$command"; fi
}

uninstall() {
  local name
  if ! is_ours; then
    say 'There is no clawdbot in %s.' '%s 里没有 clawdbot。' "$prefix"
    return
  fi
  "$prefix/current/bin/clawdbot" stop >/dev/null 2>&1 || true
  if is_launcher_ours; then rm "$launcher"; fi
  for name in versions python cache installing install.lock install.log; do
    rm -rf "${prefix:?}/$name"
  done
  rm -f "$prefix"/current*
  rmdir "$prefix" 2>/dev/null || true
  say 'clawdbot is removed from %s.' '已从 %s 移除 clawdbot。' "$prefix"
  say 'Your data stays in %s.' '数据保留在 %s。' "$data"
}

help() {
  say 'install.sh [options]

  --start         start clawdbot afterwards, in the foreground
  --yes           install missing system packages without asking
  --with WHAT     also what tools and tasks in a browser need (browser),
                  or the tools of other servers (mcp); may be repeated
  --source WHAT   install from a git repository, a .tar.gz or a folder,
                  not from the checkout around this file (or CLAWDBOT_SOURCE)
  --dry-run       print what would be done, change nothing
  --uninstall     remove clawdbot, keep its data
  --help          this text

clawdbot goes into %s (or CLAWDBOT_PREFIX), its command into %s,
its data into %s (or CLAWDBOT_HOME).
Recommended: Ubuntu 20.04, Debian 11, macOS or newer; 8 GB memory; 50 GB disk.' \
    'install.sh [选项]

  --start         安装后在前台启动 clawdbot
  --yes           不询问，直接安装缺少的系统软件包
  --with 组件     同时安装浏览器工具和任务所需的组件（browser），
                  或工具服务器所需的组件（mcp）；可重复使用
  --source 来源   从 git 仓库、.tar.gz 或文件夹安装，
                  而不是本文件所在的代码目录（或 CLAWDBOT_SOURCE）
  --dry-run       只显示将执行的步骤，不做改动
  --uninstall     移除 clawdbot，保留数据
  --help          显示本说明

clawdbot 安装到 %s（或 CLAWDBOT_PREFIX），命令放在 %s，
数据放在 %s（或 CLAWDBOT_HOME）。
建议：Ubuntu 20.04、Debian 11、macOS 或更新；内存 8 GB；磁盘 50 GB。' "$prefix" "$bin" "$data"
}

main "$@"
