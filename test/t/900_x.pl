use strict;
use warnings;
use Test::More;
use GoqueNode;
my $node = GoqueNode::new_node('x');
my $s = GoqueSession->new($node);
my $a = GoqueSession->new($node);
my $b = GoqueSession->new($node);
for (1..4) {
my $id = $s->query(q{SELECT goque_add('r')});
is($b->query(q{BEGIN; SELECT id FROM goque_fetch('r')}), $id, 'fetched, not committed');
$a->send(q{SELECT id FROM goque_fetch('r', wait => '1 min')});
$a->wait_asleep;
$b->query(q{ROLLBACK});
$a->result; diag $a->seconds;
}
done_testing();
