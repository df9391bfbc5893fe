-- What the lists of the API are read by, in their order, on millions of messages.

-- Lists in the order of confirmation: what no chain has confirmed counts as newest.
create index messages_confirmed on messages (coalesce(first_confirmed_at, 'infinity'::timestamptz), time);
create index chain_txs_height_time on chain_txs (height, datetime);

create index posts_tags on posts using gin (tags) where tags is not null;
create index vms_on_message on vms (created, item_hash) where content -> 'on' ->> 'message' is not null;
-- Programs that wait for messages are few, which the planner would not think.
create statistics vms_on_message_share on (content -> 'on' ->> 'message') from vms;
create index credit_history_time on credit_history (address, message_timestamp, credit_ref, credit_index);

create index forgotten_messages_type on forgotten_messages (type, forgotten_at);
create index removed_messages_type on removed_messages (type, removed_at);
create index forgotten_messages_owner on forgotten_messages (owner, forgotten_at);
create index forgotten_messages_sender on forgotten_messages (sender, forgotten_at);
create index removed_messages_owner on removed_messages (owner, removed_at);
create index removed_messages_sender on removed_messages (sender, removed_at);

-- How many messages each address sent, in one row, so that addresses can be listed by it.
create table sender_counts (
  sender text primary key,
  total bigint not null default 0,
  aggregate bigint not null default 0,
  forget bigint not null default 0,
  instance bigint not null default 0,
  post bigint not null default 0,
  program bigint not null default 0,
  store bigint not null default 0
);
create index sender_counts_total on sender_counts (total desc, sender);

create function add_to_sender_counts(message_senders text[], message_types text[], sign integer) returns void
language sql as $$
  insert into sender_counts as known (sender, total, aggregate, forget, instance, post, program, store)
    select sender, sign * count(*),
      sign * count(*) filter (where type = 'AGGREGATE'), sign * count(*) filter (where type = 'FORGET'),
      sign * count(*) filter (where type = 'INSTANCE'), sign * count(*) filter (where type = 'POST'),
      sign * count(*) filter (where type = 'PROGRAM'), sign * count(*) filter (where type = 'STORE')
    from unnest(message_senders, message_types) as changed(sender, type) group by sender order by sender
  on conflict (sender) do update set total = known.total + excluded.total,
    aggregate = known.aggregate + excluded.aggregate, forget = known.forget + excluded.forget,
    instance = known.instance + excluded.instance, post = known.post + excluded.post,
    program = known.program + excluded.program, store = known.store + excluded.store
$$;
create or replace function count_new_messages() returns trigger language plpgsql as $$
begin
  perform add_to_sender_counts(array_agg(sender), array_agg(type), 1) from changed having count(*) > 0;
  return null;
end $$;
create or replace function count_lost_messages() returns trigger language plpgsql as $$
begin
  perform add_to_sender_counts(array_agg(sender), array_agg(type), -1) from changed having count(*) > 0;
  return null;
end $$;

insert into sender_counts (sender, total, aggregate, forget, instance, post, program, store)
select sender, sum(count), coalesce(sum(count) filter (where type = 'AGGREGATE'), 0),
  coalesce(sum(count) filter (where type = 'FORGET'), 0), coalesce(sum(count) filter (where type = 'INSTANCE'), 0),
  coalesce(sum(count) filter (where type = 'POST'), 0), coalesce(sum(count) filter (where type = 'PROGRAM'), 0),
  coalesce(sum(count) filter (where type = 'STORE'), 0)
from message_counts group by sender;
drop table message_counts;
