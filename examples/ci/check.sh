#!/bin/sh
# Convert the model, check its budgets, compare with the stored report.
#
#   MODEL   the network                           STORED  the report to compare with; written where there is none
#   OUT     folder for the firmware and JUnit XML
#
# Exit 3: a budget or a tolerance is exceeded; stderr lists them. Others: the run failed.
set -u
here=$(dirname "$0")
model=${MODEL:-$here/../digits/digits.h5}
stored=${STORED:-$here/stored.json}
out=${OUT:-build/ci}

mkdir -p "$out" || exit 1
status=0
edgesparse convert "$model" --config "$here/edgesparse.toml" --out "$out/model" --junit "$out/budgets.xml" || status=$?
case $status in
    0 | 3) ;; # 3: a budget is exceeded; the comparison says since when
    *) exit "$status" ;;
esac
if [ -f "$stored" ]; then
    edgesparse compare "$stored" "$out/model" --tolerance 1% --accuracy-tolerance 0.5pt --junit "$out/compare.xml" ||
        status=$?
else
    cp "$out/model/report.json" "$stored" || exit 1
    echo "no stored report: wrote $stored; commit it" >&2
fi
exit "$status"
