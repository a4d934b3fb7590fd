#!/bin/bash
# Runs bazelw in a checkout of its own, with a PATH that has nothing but what the script may rely on and stand-ins for dpkg-query,
# apt-get, sudo and bazel, which keep a log of how they are called.
set -euo pipefail

checkout="$TEST_TMPDIR/checkout"
programs="$TEST_TMPDIR/bin"
log="$TEST_TMPDIR/log"
installed="$TEST_TMPDIR/installed"
mkdir -p "$checkout/bazel" "$checkout/some/folder" "$programs"
cp bazelw "$checkout/"
cp bazel/debian-packages.txt "$checkout/bazel/"
for program in bash cat dirname env grep readlink; do
    ln -s "$(command -v "$program")" "$programs/$program"
done

# stand_in NAME: the script of a stand-in program on standard input.
stand_in() {
    {
        echo "#!$programs/bash"
        cat
    } >"$programs/$1"
    chmod +x "$programs/$1"
}

# As dpkg-query does, fails when it does not know a package.
stand_in dpkg-query <<END
status=0
for package in "\${@:3}"; do
    if grep -qxF "\$package" "$installed"; then
        echo "installed \$package"
    else
        status=1
    fi
done
exit \$status
END
stand_in apt-get <<END
echo "apt-get \$*" >>"$log"
[[ "\$1" == install ]] || exit 0
for argument in "\${@:2}"; do
    [[ "\$argument" == -* ]] || echo "\$argument" >>"$installed"
done
END
stand_in sudo <<END
echo "sudo" >>"$log"
"\$@"
END
stand_in id <<'END'
echo "${FAKE_UID:-0}"
END
stand_in bazel <<END
echo "bazel in \$PWD: \$*" >>"$log"
END

failures=0

# run_in FOLDER ARGUMENTS...: what the stand-ins wrote.
run_in() {
    local folder="$1"
    shift
    : >"$log"
    (cd "$folder" && PATH="$programs" "$checkout/bazelw" "$@" 2>"$TEST_TMPDIR/said") || echo "exit code $?" >>"$log"
    cat "$log"
}

expect() {
    local what="$1" expected="$2" actual="$3"
    [[ "$expected" == "$actual" ]] && return
    printf >&2 '%s\n--- expected:\n%s\n--- actual:\n%s\n' "$what" "$expected" "$actual"
    failures=$((failures + 1))
}

options="--quiet=2 --yes --no-install-recommends"
grep -v '^#' bazel/debian-packages.txt | grep -o '^[^ ]\+' | grep -vxF -e qemu-user -e lld-16 -e nodejs -e npm >"$installed"

expect "only missing packages are installed, node and npm among them" \
    "apt-get update --quiet=2
apt-get install $options nodejs npm lld-16 qemu-user
bazel in $checkout: test //..." \
    "$(run_in "$checkout" test //...)"
expect "it says so" "bazelw: installing Debian packages: nodejs npm lld-16 qemu-user
bazelw: installed 4 packages" "$(cat "$TEST_TMPDIR/said")"

expect "the second time nothing is installed, in any folder of the checkout" \
    "bazel in $checkout/some/folder: build --config=x :y z" \
    "$(run_in "$checkout/some/folder" build --config=x ":y z")"
expect "and nothing is said" "" "$(cat "$TEST_TMPDIR/said")"

expect "from outside, the checkout is built" "bazel in $checkout: info" "$(run_in / info)"

sed -i -e /^nodejs$/d -e /^npm$/d "$installed"
stand_in node </dev/null
stand_in npm </dev/null
expect "node and npm from elsewhere will do" "bazel in $checkout: info" "$(run_in "$checkout" info)"

sed -i /^lld-16$/d "$installed"
export FAKE_UID=1000
expect "who is not root uses sudo" \
    "sudo
apt-get update --quiet=2
sudo
apt-get install $options lld-16
bazel in $checkout: info" \
    "$(run_in "$checkout" info)"

sed -i /^lld-16$/d "$installed"
rm "$programs/sudo"
expect "without sudo it ends" "exit code 1" "$(run_in "$checkout" info)"
expect "and says what to do" "bazelw: there is no sudo; become root and run: apt-get install lld-16" \
    "$(cat "$TEST_TMPDIR/said")"

((failures == 0))
