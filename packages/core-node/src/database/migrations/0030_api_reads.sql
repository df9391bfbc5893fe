-- What the API's lists are read by.

-- How many processed messages each address sent, by type; kept by the triggers below.
create table message_counts (
  sender text not null,
  type text not null,
  count bigint not null,
  primary key (sender, type)
);
insert into message_counts (sender, type, count) select sender, type, count(*) from messages group by sender, type;

create function count_new_messages() returns trigger language plpgsql as $$
begin
  insert into message_counts (sender, type, count)
    select sender, type, count(*) from changed group by sender, type order by sender, type
    on conflict (sender, type) do update set count = message_counts.count + excluded.count;
  return null;
end $$;
create function count_lost_messages() returns trigger language plpgsql as $$
begin
  update message_counts c set count = c.count - lost.count
    from (select sender, type, count(*) as count from changed group by sender, type) lost
    where c.sender = lost.sender and c.type = lost.type;
  return null;
end $$;
create trigger messages_counted after insert on messages
  referencing new table as changed for each statement execute function count_new_messages();
create trigger messages_uncounted after delete on messages
  referencing old table as changed for each statement execute function count_lost_messages();

-- Each filter with the order of lists, newest first within one value.
create index messages_reception on messages (reception_time, item_hash);
create index messages_content_type on messages (content_type, time) where content_type is not null;
create index messages_content_key on messages (content_key, time) where content_key is not null;
create index messages_chain on messages (chain, time);
create index messages_status on messages (status, time) where status <> 'processed';
create index messages_payment_type on messages (payment_type, time) where payment_type is not null;
create index messages_sender_type on messages (sender, type, time);
create index messages_sender_channel on messages (sender, channel) where channel is not null;
create index messages_sender_post_type on messages (sender, content_type) where type = 'POST';
create index messages_ref_time on messages (content_ref, time) where content_ref is not null;
drop index messages_content_ref;

create index posts_channel on posts (channel, last_updated) where amends is null;
create index posts_ref_time on posts (ref, last_updated) where amends is null;
create index aggregates_created on aggregates (created, key, owner);
create index aggregates_key on aggregates (key, last_updated);
create index aggregates_security on aggregates using gin (content jsonb_path_ops) where key = 'security';
create index forgotten_messages_at on forgotten_messages (forgotten_at, item_hash);
create index account_costs_payment on account_costs (payment_type, item_hash);
