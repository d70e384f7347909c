#!/bin/sh
# Install CallSieve and its module on FreePBX 17, from this folder, as root and without a network. Run it again to upgrade.
set -e
cd "$(dirname "$0")"
[ "$(id -u)" = 0 ] || { echo "run this as root" >&2; exit 1; }
command -v fwconsole >/dev/null || { echo "FreePBX is not installed: fwconsole is missing" >&2; exit 1; }
python3 -m venv /opt/callsieve || { echo "run: apt install python3-venv" >&2; exit 1; }
/opt/callsieve/bin/pip install --quiet --no-index --find-links wheels --require-hashes -r requirements.txt
/opt/callsieve/bin/pip install --quiet --no-index --no-deps --force-reinstall wheels/callsieve-*.whl
ln -sf /opt/callsieve/bin/callsieve /usr/local/bin/callsieve
# Setup also installs the module, and ends with "screened: yes" or "no". Options of setup, such as --policy cautious, are allowed.
exec callsieve setup "$@"
