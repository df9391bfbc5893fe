-- Messages that nobody pays for any more (protocol 02 §15, §16).
create table removed_messages (
  item_hash text primary key,
  type text not null,
  chain text not null,
  sender text not null,
  signature text,
  item_type text not null,
  time double precision not null,
  channel text,
  reception_time timestamptz not null,
  owner text not null,
  payment_type text not null,
  size bigint,
  place text collate "C" not null,
  seq bigint not null,
  -- content.time, whole microseconds
  sender_time bigint not null,
  removed_at timestamptz not null default now()
);

create index removed_messages_at on removed_messages (removed_at, item_hash);
create index messages_removing on messages (item_hash) where status = 'removing';

create or replace view message_status as
  select item_hash, status, reception_time, 1 as rank from messages
  union all
  select item_hash, 'forgotten', reception_time, 2 from forgotten_messages
  union all
  select item_hash, 'removed', reception_time, 3 from removed_messages
  union all
  select item_hash, 'pending', reception_time, 4 from pending_messages
  union all
  select item_hash, 'rejected', reception_time, 5 from rejected_messages;
