# Crashes: what was acknowledged is there, what was not is not, an unflushed claim
# may be taken back and its token never comes back.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);

use GoqueNode;

# Nobody but the tested sessions writes or flushes WAL.
my $node = GoqueNode::new_node('crash', conf => <<'E');
restart_after_crash = on
autovacuum = off
wal_writer_delay = 10s
bgwriter_lru_maxpages = 0
goque.heal_interval = '1 h'
