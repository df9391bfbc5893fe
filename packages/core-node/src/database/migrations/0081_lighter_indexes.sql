-- Every index costs at insert. Nearly all messages are of Ethereum, whose own the index by time finds at once.
drop index messages_chain;
create index messages_other_chain on messages (chain, time) where chain <> 'ETH';
-- posts_ref_time has what it had.
drop index posts_ref;
