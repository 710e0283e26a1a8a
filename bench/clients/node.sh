# shellcheck shell=sh
# For drivers in JavaScript: package.json's libraries in $BENCH_CACHE.
set -eu
NODE_PATH=$BENCH_CACHE/node_modules
export NODE_PATH
case $1 in
	install)
		command -v npm >/dev/null || { echo "there is no npm" >&2; exit 1; }
		cmp -s package.json "$BENCH_CACHE/package.json" && [ -d "$NODE_PATH" ] && exit 0
		rm -rf "$NODE_PATH"
		cp package.json "$BENCH_CACHE/package.json.new"
		(cd "$BENCH_CACHE" && mv package.json.new package.json && npm install --silent --ignore-scripts --no-audit --no-fund --no-package-lock) ||
			{ rm -f "$BENCH_CACHE/package.json"; exit 1; }
		;;
	version) node -p "require('$NODE_PATH/$LIBRARY/package.json').version + ', node ' + process.version" ;;
	prepare|run) exec node queue_driver.js "$1" ;;
esac
