-- What the registry of nodes is computed from, and how a node notices that it must be computed again.

-- Blocks at which something changed that the registry is made of. Written by the database itself, so that nobody who
-- changes messages, confirmations or transfers can forget it; a message no chain confirms stands behind all blocks.
create table registry_changes (
  height bigint not null
);

-- Which balances a `balances-update` post reports, and for which block.
create table balance_post_heights (
  item_hash text collate "C" primary key,
  platform text not null,
  height bigint not null
);
create index balance_post_heights_height on balance_post_heights (height);

create index messages_registry on messages (first_confirmed_height, sender_time, item_hash)
  where type = 'POST' and content_type in ('corechan-operation', 'aleph-scoring-scores', 'amend');

create function report_of_balances(content text) returns table (platform text, height bigint) language sql immutable as $$
  select report ->> 'platform', (report ->> 'main_height')::bigint
  from (select content::json -> 'content' as report) r
  where json_typeof(report) = 'object' and json_typeof(report -> 'platform') = 'string'
    and report ->> 'main_height' ~ '^\d{1,15}$'
$$;

create function note_registry_changes() returns trigger language plpgsql as $$
begin
  insert into registry_changes (height)
    select distinct coalesce(c.first_confirmed_height, 9007199254740991) from changed c
    where c.type = 'POST' and (
      c.content_type in ('corechan-operation', 'aleph-scoring-scores')
      or c.content_type = 'amend'
        and exists (select from messages o where o.item_hash = c.content_ref and o.content_type = 'corechan-operation'));
  return null;
end $$;
create trigger registry_messages_added after insert on messages
  referencing new table as changed for each statement execute function note_registry_changes();
create trigger registry_messages_removed after delete on messages
  referencing old table as changed for each statement execute function note_registry_changes();
create trigger registry_messages_from after update on messages
  referencing old table as changed for each statement execute function note_registry_changes();
create trigger registry_messages_to after update on messages
  referencing new table as changed for each statement execute function note_registry_changes();

create function note_balance_posts() returns trigger language plpgsql as $$
begin
  insert into balance_post_heights (item_hash, platform, height)
    select c.item_hash, r.platform, r.height
    from changed c, report_of_balances(coalesce(c.content, c.item_content)) r
    where c.type = 'POST' and c.content_type = 'balances-update'
    on conflict do nothing;
  return null;
end $$;
create function drop_balance_posts() returns trigger language plpgsql as $$
begin
  delete from balance_post_heights
    where item_hash in (select item_hash from changed where content_type = 'balances-update');
  return null;
end $$;
create trigger balance_posts_added after insert on messages
  referencing new table as changed for each statement execute function note_balance_posts();
create trigger balance_posts_removed after delete on messages
  referencing old table as changed for each statement execute function drop_balance_posts();
insert into balance_post_heights (item_hash, platform, height)
  select m.item_hash, r.platform, r.height from messages m, report_of_balances(coalesce(m.content, m.item_content)) r
  where m.type = 'POST' and m.content_type = 'balances-update'
  on conflict do nothing;

-- Heights of balances, whether of reports or of transfers.
create function note_changed_heights() returns trigger language plpgsql as $$
begin
  insert into registry_changes (height) select min(height) from changed having count(*) > 0;
  return null;
end $$;
create trigger balance_heights_added after insert on balance_post_heights
  referencing new table as changed for each statement execute function note_changed_heights();
create trigger balance_heights_removed after delete on balance_post_heights
  referencing old table as changed for each statement execute function note_changed_heights();

create function note_transfers() returns trigger language plpgsql as $$
begin
  insert into registry_changes (height) select min(block_number) from changed having count(*) > 0;
  return null;
end $$;
create trigger registry_transfers_added after insert on token_transfers
  referencing new table as changed for each statement execute function note_transfers();
create trigger registry_transfers_removed after delete on token_transfers
  referencing old table as changed for each statement execute function note_transfers();
