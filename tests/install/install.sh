#!/bin/bash
# Installs the build into a temporary folder and uses it as a packager and a first user would:
# install.sh BUILD-FOLDER SOURCE-FOLDER C-COMPILER. A build with sanitizers is only looked at, not linked against.
set -euo pipefail

build=$1
source=$2
compiler=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

complain() {
    printf '%s\n' "$*" >&2
    exit 1
}

# The build may have been configured for any prefix; here it goes to /usr of an empty folder.
DESTDIR=$work/root cmake --install "$build" --prefix /usr >"$work/log" || complain "$(cat "$work/log")"
root=$work/root/usr

headers=$(cd "$root/include" && find . -type f | sort)
[ "$headers" = ./prova.h ] || complain "installed headers should be prova.h alone: $headers"
library=$(find "$root" -name libprova.so)
[ -e "$library" ] || complain "libprova.so is not installed"
[ -x "$root/bin/prova" ] || complain "bin/prova is not installed"
[ -s "$root/share/bash-completion/completions/prova" ] || complain "the bash completion is not installed"
bash -n "$root/share/bash-completion/completions/prova"

foreign=$(nm -D --defined-only "$library" | awk '{print $3}' | sed 's/@.*//' | grep -v '^prova_' || true)
[ -z "$foreign" ] || complain "libprova.so exports names that are not its own: $foreign"

export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR=$work/root
PKG_CONFIG_PATH=$(dirname "$(find "$root" -name prova.pc)")
version=$(pkg-config --modversion prova)
if grep -q '^PROVA_SANITIZE:[^=]*=.' "$build/CMakeCache.txt"; then
    exit 0
fi
read -r -a flags <<<"$(pkg-config --cflags --libs prova)"
"$compiler" -std=c17 -pedantic -Wall -Wextra -Werror "$source/tests/install/user.c" -o "$work/user" "${flags[@]}"
LD_LIBRARY_PATH=$(dirname "$library") "$work/user" "$version"

# The example of the README, typed in as it stands.
# shellcheck disable=SC2016  # the backticks are Markdown
sed -n '/^```c$/,/^```$/{/^```/!p}' "$source/README.md" >"$work/mine.c"
"$compiler" -Wall -Werror "$work/mine.c" -o "$work/mine" "${flags[@]}" -lm
best=$(cd "$work" && LD_LIBRARY_PATH=$(dirname "$library") ./mine 2>"$work/log") || complain "$(cat "$work/log")"
[[ $best = '{"lr":0.'*'}' ]] || complain "the example of the README printed '$best'"

if command -v g++ >/dev/null; then
    g++ -x c++ -std=c++11 -pedantic -Wall -Wextra -Werror "$source/tests/install/user.c" -o "$work/user" "${flags[@]}"
    LD_LIBRARY_PATH=$(dirname "$library") "$work/user" "$version"
fi
LD_LIBRARY_PATH=$(dirname "$library") "$root/bin/prova" version | grep -qF "$version" ||
    complain "prova version does not say $version"
