#!/bin/sh
# Build container images FROM scratch, each over a root that debootstrap makes: CallSieve, or an Asterisk to try it with.
# Needs root, debootstrap and buildah. TARGET becomes an OCI archive, which `podman load` and `docker load` take.
#   packages/container/image.sh callsieve TARGET callsieve_*~deb13_amd64.deb
#   packages/container/image.sh asterisk TARGET
set -e
name=$1 target=$2 package=$3
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
export DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct)}"

# Both images share the volume /etc/asterisk, so the group that may read it has the same number in both.
make_root() {
    debootstrap --variant=minbase --include="$2" "$1" "$root"
    chroot "$root" groupadd --system --gid 900 asterisk
    chroot "$root" apt-get update -q -o Acquire::Check-Valid-Until=false
}

case "$name" in
callsieve)
    make_root trixie python3,ca-certificates
    cp "$package" "$root/tmp/callsieve.deb"
    chroot "$root" apt-get install -y --no-install-recommends /tmp/callsieve.deb
    ;;
asterisk) # Debian 13 has no Asterisk
    make_root forky ca-certificates
    chroot "$root" useradd --system --uid 900 --gid asterisk --home-dir /var/lib/asterisk asterisk
    chroot "$root" apt-get install -y --no-install-recommends asterisk asterisk-core-sounds-en-gsm
    for file in "$here"/asterisk/*.conf; do
        cat "$file" >>"$root/etc/asterisk/${file##*/}"
    done
    ;;
*)
    echo "unknown image $name: use callsieve or asterisk" >&2
    exit 2
    ;;
esac
rm -rf "$root"/tmp/* "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/dev/*
install -d "$root/etc/callsieve" "$root/etc/asterisk"
[ "$name" = callsieve ] || chroot "$root" install -d -o asterisk -g asterisk /var/log/asterisk /run/asterisk

image=$(buildah from scratch)
cp -a "$root/." "$(buildah mount "$image")" # `buildah copy` would give every file to root
if [ "$name" = callsieve ]; then
    buildah config --user callsieve:asterisk --entrypoint '["/usr/bin/callsieve"]' --cmd serve --env LANG=C.UTF-8 \
        --volume /etc/callsieve --volume /var/lib/callsieve --volume /etc/asterisk "$image"
else
    buildah config --user asterisk:asterisk --entrypoint '["/usr/sbin/asterisk", "-f"]' --cmd -vvv \
        --volume /etc/asterisk "$image"
fi
buildah commit --quiet --rm --timestamp "$SOURCE_DATE_EPOCH" "$image" "oci-archive:$target:$name:latest" >/dev/null
