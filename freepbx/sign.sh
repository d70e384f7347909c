#!/bin/sh
# Write module.sig into a copy of the module, as FreePBX checks it: a clear-signed list of the SHA-256 of each file.
# Arguments: the folder, and the name of a secret key of gpg.
set -eu
cd "$1"
rm -f module.sig
{
    printf '[config]\nversion=1\nhash=sha256\nsignedwith=%s\nsignedby=callsieve\nrepo=unsupported\n\n[hashes]\n' "$2"
    find . -type f ! -name '.*' | LC_ALL=C sort | while read -r path; do
        printf '%s = %s\n' "${path#./}" "$(sha256sum "$path" | cut -d ' ' -f 1)"
    done
} > .list
gpg --batch --yes --local-user "$2" --output module.sig --clear-sign .list
rm .list
