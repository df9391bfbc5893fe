-- The sender's own time (content.time), whole microseconds: unlike the envelope's it is signed, so that every node that
-- has the message has the same.
alter table messages add column sender_time bigint not null default 0;
alter table forgotten_messages add column sender_time bigint not null default 0;
-- A place that was not lifted holds it.
update messages set sender_time =
  case when place like '%/%' then round(time * 1000000)::bigint else split_part(place, ':', 2)::bigint end;
alter table messages alter column sender_time drop default;

-- Messages that entered or left `messages` or `forgotten_messages` since the node's set of messages in memory last
-- looked. That set is read anew at every start, so these rows need not survive a crash of the database.
create unlogged table set_changes (
  item_hash text not null,
  sender_time bigint not null
);

create function note_set_changes() returns trigger language plpgsql as $$
begin
  insert into set_changes (item_hash, sender_time) select item_hash, sender_time from changed;
  return null;
end $$;

create trigger messages_entered after insert on messages
  referencing new table as changed for each statement execute function note_set_changes();
create trigger messages_left after delete on messages
  referencing old table as changed for each statement execute function note_set_changes();
create trigger forgotten_entered after insert on forgotten_messages
  referencing new table as changed for each statement execute function note_set_changes();
create trigger forgotten_left after delete on forgotten_messages
  referencing old table as changed for each statement execute function note_set_changes();

-- Peers are compared with by sets now, not followed by logs.
drop table catch_up_cursors;
