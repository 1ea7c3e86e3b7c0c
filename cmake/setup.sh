# Shared by ./run, ./test and .ci/run (sourced, with the working directory at the top of the tree): installs
# Debian packages that are missing, configures and builds.

say() {
    printf '==> %s\n' "$*" >&2
}

# missing_packages LIST...: those named in the files that are not installed, on one line.
missing_packages() {
    local name
    sed 's/#.*//' "$@" | while read -r name; do
        [ -z "$name" ] || dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed ||
            printf '%s ' "$name"
    done
}

# as_root COMMAND...: runs it as root, by sudo if need be.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" </dev/null
}

# install_packages LIST...: installs what is missing; apt is not touched when nothing is. The package index is
# fetched only where there is none, or where it is too old to install from.
install_packages() {
    local packages log=build/apt.log
    if ! command -v dpkg-query >/dev/null; then
        say "this is no Debian: install what cmake/packages names by your own means"
        return 0
    fi
    read -r -a packages <<<"$(missing_packages "$@")"
    [ "${#packages[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        say "packages are missing; as root, run: apt-get install --no-install-recommends ${packages[*]}"
        return 1
    fi
    say "installing ${packages[*]}"
    mkdir -p build
    if compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null && apt_install "${packages[@]}" >"$log" 2>&1; then
        return 0
    fi
    if ! { as_root apt-get update -q </dev/null && apt_install "${packages[@]}"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        say "apt could not install them (all of its output is in $log)"
        return 1
    fi
}

# build PRESET [CMAKE-BUILD-ARGUMENT...]: configures build/PRESET once and builds it.
build() {
    local preset=$1 log=build/configure-$1.log
    shift
    mkdir -p build
    if [ ! -f "build/$preset/build.ninja" ]; then
        say "configuring build/$preset"
        if ! cmake --preset "$preset" >"$log" 2>&1; then
            cat "$log" >&2
            return 1
        fi
    fi
    say "building build/$preset"
    cmake --build "build/$preset" -j "$(nproc)" "$@"
}
