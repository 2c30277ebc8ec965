#!/bin/sh
# debian.sh PACKAGE...: install the Debian packages that are missing, or say which ones to install.
# For what pip cannot bring; whatever needs it calls this itself, and nothing is installed in advance.
set -eu
missing=
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "These packages are missing and only root can install them:$missing" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >&2
# shellcheck disable=SC2086  # a list of words
apt-get install -q -y --no-install-recommends $missing >&2
