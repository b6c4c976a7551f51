#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs the bakery, sends its 200 orders, shows what became of them, and goes on until Ctrl-C (in a
# pipe or with CI=true it ends after the orders; non-zero if one was lost).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
data=${BAKERY_DATA:-$root/build/bakery}
export BAKERY_LEDGER="${BAKERY_LEDGER:-$data/ledger.db}"
mkdir -p "$data"
ready=$data/ready.json
rm -f "$ready"

"$root/build/takt" run "$here/line.yaml" --data "$data" --ready-file "$ready" --grace 5s &
takt=$!
trap 'kill "$takt" 2>/dev/null || true; wait "$takt" 2>/dev/null || true' EXIT
trap 'exit 0' TERM HUP
trap 'exit 141' PIPE # who read the output has gone: takt goes too
# Ctrl-C has reached takt too, and a second signal would cut its workers' work short.
trap 'trap - EXIT; echo; wait "$takt" || true; exit 0' INT

waited=0
while [ ! -s "$ready" ]; do
    kill -0 "$takt" 2>/dev/null || { wait "$takt" || exit $?; exit 1; }
    waited=$((waited + 1))
    [ "$waited" -lt 600 ] || { echo "takt is not ready after 30 s" >&2; exit 1; }
    sleep 0.05
done
url() { sed -n "s/.*\"$1\": \"\([^\"]*\)\".*/\1/p" "$ready"; }
TAKT_SERVER=$(url admin)
export TAKT_SERVER

code=0
python3 "$here/send.py" "$(url gateway)" "$here/orders.ndjson" >"$data/sent.txt" || code=$?
cat "$data/sent.txt"
job=$(sed -n 's/^one of them: //p' "$data/sent.txt")
[ -n "$job" ] || exit 1
echo
echo "\$ takt job show $job"
"$root/build/takt" job show "$job"
echo
echo "\$ cashier report"
"$root/build/examples/bakery/cashier" report
echo
"$root/build/takt" station list
if [ "${CI:-}" = true ] || [ ! -t 1 ]; then
    exit "$code"
fi
cat <<WORDS

The bakery is open until Ctrl-C. Try:
  curl -i $(url gateway)/orders -H 'Prefer: wait=5' -H 'Content-Type: application/json' \\
       -d '{"number": 1001, "items": [{"what": "pizza", "count": 2}], "card": "4000123412341234",
            "address": {"street": "Mill Lane 3", "town": "Brunn"}}'
  $(url gateway)/jobs/$job
  $(url admin)/        every station, refreshed
  build/takt status          the same in the terminal
  build/takt job show 17     an order by its number (7 has a refused card, 33 no street)
WORDS
wait "$takt"
