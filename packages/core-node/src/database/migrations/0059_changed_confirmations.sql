-- Messages whose confirmations changed since they were judged: their place in the order may be another. Kept by the
-- database itself, so that no reader of a chain can forget it.
create table changed_confirmations (
  item_hash text primary key
);

create function note_changed_confirmations() returns trigger language plpgsql as $$
begin
  insert into changed_confirmations (item_hash) select distinct item_hash from changed order by 1 on conflict do nothing;
  return null;
end $$;
create trigger message_confirmations_added after insert on message_confirmations
  referencing new table as changed for each statement execute function note_changed_confirmations();
create trigger message_confirmations_removed after delete on message_confirmations
  referencing old table as changed for each statement execute function note_changed_confirmations();

alter table forgotten_messages add column first_confirmed_height bigint;
