-- The fields of a message that nobody signs, as the transaction's copy has them: nodes that were given different copies
-- agree on the one that a chain confirmed first. Null where only the hash was told.
alter table message_confirmations add column time double precision, add column channel text;
