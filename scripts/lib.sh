# shellcheck shell=bash
# Shared by scripts/demo and scripts/test: packages, an unprivileged user, a
# throw-away build and server.  Sourced, not run.
#
# Nothing here writes outside $WORK (a folder in /tmp that clean_up removes)
# but apt, which asks nothing and is announced.

OLDEST=15
NEWEST=19
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORK=
CHILD=

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# --- root and the unprivileged user -------------------------------------

# Run as root: directly, or by sudo.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "this needs root and there is no sudo: $*"
	fi
}

# Who runs builds and servers: PostgreSQL refuses root.
worker_user() { if [ "$(id -u)" = 0 ]; then echo postgres; else id -un; fi; }

# Sets COMMAND to what runs "$@" as the unprivileged user, with nothing of the
# caller's environment that could lead a client to another server.
USER_ENV=()
user_command()
{
	COMMAND=(env -i "HOME=$WORK" PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C
			 "TMPDIR=$WORK/tmp" "PGHOST=$WORK" PGUSER=postgres ${USER_ENV[@]+"${USER_ENV[@]}"} "$@")
	if [ "$(id -u)" = 0 ]; then
		COMMAND=(setpriv --reuid=postgres --regid="$(id -g postgres)" --init-groups "${COMMAND[@]}")
	fi
}

as_user() { user_command "$@"; "${COMMAND[@]}"; }

# The same with a time limit of $1 seconds, and so that a signal to this script
# ends the command and all that it started.
run_as_user()
{
	local rc=0
	user_command timeout -k 10 "$@"
	"${COMMAND[@]}" &
	CHILD=$!
	wait "$CHILD" || rc=$?
	CHILD=
	[ $rc != 124 ] || echo "ended after $1 seconds: $*"
	return $rc
}

# --- packages -------------------------------------------------------------

is_installed() { dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

# Installs those of the packages that are missing.
need_packages()
{
	local missing=() p
	for p in "$@"; do is_installed "$p" || missing+=("$p"); done
	[ ${#missing[@]} -gt 0 ] || return 0

	command -v apt-get >/dev/null ||
		die "these Debian packages or their like are needed, and there is no apt-get here: ${missing[*]}"
	say "Installing with apt: ${missing[*]}"
	refresh_apt
	without_main_cluster
	local rc=0
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
		install -y --no-install-recommends "${missing[@]}" >"$WORK/apt.log" 2>&1 || rc=$?
	restore_main_cluster
	[ $rc = 0 ] || { tail -n 20 "$WORK/apt.log" >&2; die "apt could not install: ${missing[*]}"; }
}

APT_FRESH=
refresh_apt()
{
	[ -z "$APT_FRESH" ] || return 0
	APT_FRESH=yes
	as_root apt-get -qq -o DPkg::Lock::Timeout=300 update >"$WORK/apt.log" 2>&1 ||
		say "(apt-get update reported errors; going on: $(grep -m 1 '^E:' "$WORK/apt.log"))"
}

# Debian's server package makes a cluster "main" on port 5432 and starts it.
# Nobody asked for it: switch that off while apt runs.
CREATECLUSTER=/etc/postgresql-common/createcluster.conf
without_main_cluster()
{
	[ ! -e "$WORK/createcluster.conf" ] || return 0
	if [ -e $CREATECLUSTER ]; then cp $CREATECLUSTER "$WORK/createcluster.conf"; fi
	as_root mkdir -p "${CREATECLUSTER%/*}"
	echo 'create_main_cluster = false' | as_root tee -a $CREATECLUSTER >/dev/null
	CLUSTER_CONF_CHANGED=yes
}
CLUSTER_CONF_CHANGED=
restore_main_cluster()
{
	[ -n "$CLUSTER_CONF_CHANGED" ] || return 0
	if [ -e "$WORK/createcluster.conf" ]; then
		as_root cp "$WORK/createcluster.conf" $CREATECLUSTER
	elif [ -e /usr/share/postgresql-common/createcluster.conf ]; then
		as_root cp /usr/share/postgresql-common/createcluster.conf $CREATECLUSTER
		as_root rm -f $CREATECLUSTER.ucf-dist
	else
		as_root rm -f $CREATECLUSTER
	fi
	rm -f "$WORK/createcluster.conf"
	CLUSTER_CONF_CHANGED=
}

# --- PostgreSQL versions ---------------------------------------------------

bindir() { echo "/usr/lib/postgresql/$1/bin"; }

# The supported server versions that are installed here, oldest first.
installed_versions()
{
	local v
	for v in $(seq $OLDEST $NEWEST); do
		if [ -x "$(bindir "$v")/postgres" ]; then echo "$v"; fi
	done
}

# The version that this system's own packages offer.
offered_version()
{
	local v
	v=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
	if [ -z "$v" ] || [ "$v" -lt $OLDEST ] || [ "$v" -gt $NEWEST ]; then
		die "goque needs PostgreSQL $OLDEST to $NEWEST, and this system's packages offer ${v:-none}." \
			"Add PostgreSQL's own packages (apt-get install postgresql-common &&" \
			"/usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y && apt-get install postgresql-17) and call this again"
	fi
	echo "$v"
}

# --- the throw-away folder, build and server ---------------------------------

# Makes $WORK, the unprivileged user's own.  $1 names it.  Not in $TMPDIR: the
# path of a Unix socket in it may not exceed 107 bytes.
make_work()
{
	WORK=$(mktemp -d "/tmp/goque-$1.XXXXXX") || die "cannot make a folder in /tmp"
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# Hands it to the user, once the user is there (packages bring postgres).
own_work()
{
	mkdir -p "$WORK/tmp"
	chmod 755 "$WORK"
	[ "$(id -u)" != 0 ] || chown -R postgres: "$WORK"
	# the user may have no right to be where we were called
	cd "$WORK" || die "cannot go to $WORK"
}

# Stops what was started and removes $WORK.  Servers are found by the pid files
# in our own folder, so that one left by an interrupted test goes as well.
clean_up()
{
	trap '' INT TERM HUP
	[ -z "$CHILD" ] || kill -TERM "$CHILD" 2>/dev/null
	[ -z "$(type -t stop_workers)" ] || stop_workers
	restore_main_cluster
	[ -z "${ROOT_COPY:-}" ] || as_root rm -rf "$ROOT_COPY"
	[ -n "$WORK" ] && [ -d "$WORK" ] || return 0
	local f pid
	find "$WORK" -name postmaster.pid 2>/dev/null | while read -r f; do
		pid=$(head -n 1 "$f")
		case $(readlink "/proc/$pid/cwd") in "$WORK"/*) kill -QUIT "$pid" ;; *) continue ;; esac
		for _ in $(seq 100); do [ -d "/proc/$pid" ] || break; sleep 0.1; done
	done
	cd / && rm -rf "$WORK"
}

goque_version() { sed -n "s/^default_version *= *'\([^']*\)'.*/\1/p" "$REPO/goque.control"; }

# A copy of the tree without built files: the build must not write into it.
copy_tree()
{
	as_user mkdir -p "$1"
	tar -C "$REPO" -cf - --exclude=./.git --exclude='*.o' --exclude='*.bc' --exclude='*.so' --exclude="./sql/goque--$(goque_version).sql" \
		--exclude=./results --exclude=./log --exclude='./tmp_check*' --exclude='./regression.*' --exclude=./output_iso . |
		as_user tar -C "$1" --no-same-owner -xf -
}

# make, for version $1 in $WORK/$1/src.  No bitcode: it doubles the time.
gq_make() { local v=$1; shift; run_as_user 900 make -s -C "$WORK/$v/src" PG_CONFIG="$(bindir "$v")/pg_config" with_llvm=no "$@"; }

# Builds for version $1 and installs below $WORK/$1/inst.
build()
{
	local v=$1; shift
	copy_tree "$WORK/$v/src"
	gq_make "$v" -j"$(nproc)" "$@" && gq_make "$v" install DESTDIR="$WORK/$v/inst"
}

# The settings by which a server of version $1 finds that installation.  18 has
# extension_control_path; Debian gives the older ones extension_destdir.
install_settings()
{
	local v=$1 inst=$WORK/$1/inst libdir sharedir
	libdir=$("$(bindir "$v")/pg_config" --pkglibdir)
	sharedir=$("$(bindir "$v")/pg_config" --sharedir)
	if [ "$v" -ge 18 ]; then
		echo "extension_control_path = '$inst$sharedir:\$system'"
	else
		echo "extension_destdir = '$inst'"
	fi
	echo "dynamic_library_path = '$inst$libdir:\$libdir'"
}

# Starts a server of version $1 with goque preloaded and the settings on
# standard input.  Its data is $WORK/$1/data, its socket is in $WORK.
start_server()
{
	local v=$1 bin
	bin=$(bindir "$v")
	as_user "$bin/initdb" -D "$WORK/$v/data" -A trust -U postgres --no-locale -E UTF8 -N >"$WORK/initdb.log" 2>&1 ||
		{ cat "$WORK/initdb.log" >&2; return 1; }
	{ cat; install_settings "$v"; echo "unix_socket_directories = '$WORK'"; } >>"$WORK/$v/data/postgresql.conf"
	as_user "$bin/pg_ctl" -s -w -t 60 -D "$WORK/$v/data" -l "$WORK/$v/server.log" start >/dev/null ||
		{ cat "$WORK/$v/server.log" >&2; return 1; }
}

stop_server() { as_user "$(bindir "$1")/pg_ctl" -s -w -m fast -D "$WORK/$1/data" stop; }
