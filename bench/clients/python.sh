# shellcheck shell=sh
# For drivers in Python: a virtual environment in $BENCH_CACHE with requirements.txt.
set -eu
case $1 in
	install)
		cmp -s requirements.txt "$BENCH_CACHE/requirements.txt" && exit 0
		/usr/bin/python3 -m venv --clear "$BENCH_CACHE/venv"
		"$BENCH_CACHE/venv/bin/pip" install -q --disable-pip-version-check -r requirements.txt
		cp requirements.txt "$BENCH_CACHE/"
		;;
	version) "$BENCH_CACHE/venv/bin/pip" list --format=freeze --disable-pip-version-check | grep -iE "^(${2:-$LIBRARY})==" | tr '\n' ' ' ;;
	prepare|run) PYTHONPATH=../../clients exec "$BENCH_CACHE/venv/bin/python" queue_driver.py "$1" ;;
esac
