-- Facts of this database that outlive a restart, such as the identity of its message log.
create table node_info (
  key text primary key,
  value text not null
);
insert into node_info (key, value) values ('log_id', gen_random_uuid()::text);

-- The inbox: every message from its acknowledgement until it is processed or refused.
create table pending_messages (
  id bigint generated always as identity primary key,
  item_hash text not null,
  type text not null,
  chain text not null,
  sender text not null,
  signature text,
  item_type text not null,
  item_content text,
  time double precision not null,
  channel text,
  reception_time timestamptz not null,
  origin text not null,
  tx_hash text,
  -- true when the content and the file that the message names are in the file store
  fetched boolean not null,
  next_attempt timestamptz not null,
  retries integer not null default 0,
  -- the last failure, shown to whoever asks why a message is pending
  error_code integer,
  error_details json,
  -- hashes whose arrival makes another attempt worth while
  waits_for text[],
  unique nulls not distinct (sender, item_hash, signature)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
create index pending_messages_item_hash on pending_messages (item_hash);
create index pending_messages_due on pending_messages (fetched, next_attempt, id);
create index pending_messages_waits_for on pending_messages using gin (waits_for) where waits_for is not null;

-- Messages that are part of the state. Inline content lives in item_content alone; content holds fetched content.
create table messages (
  item_hash text primary key,
  seq bigint not null unique,
  status text not null,
  type text not null,
  chain text not null,
  sender text not null,
  signature text,
  item_type text not null,
  item_content text,
  content text,
  time double precision not null,
  channel text,
  size integer not null,
  reception_time timestamptz not null,
  owner text not null,
  content_type text,
  content_ref text,
  content_key text,
  content_item_hash text,
  payment_type text,
  tags text[]
);
create index messages_time on messages (time, item_hash);
create index messages_type on messages (type, time);
create index messages_sender on messages (sender, time);
create index messages_owner on messages (owner, time);
create index messages_channel on messages (channel, time) where channel is not null;
create index messages_content_ref on messages (content_ref) where content_ref is not null;
create index messages_content_item_hash on messages (content_item_hash) where content_item_hash is not null;
create index messages_tags on messages using gin (tags) where tags is not null;

-- Messages from our own API that gossip has not spread yet; they are spread again after a restart.
create table unannounced_messages (
  item_hash text primary key
);

create table rejected_messages (
  item_hash text primary key,
  message json not null,
  error_code integer not null,
  details json,
  tx_hash text,
  reception_time timestamptz not null
);

create table forgotten_messages (
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
  payment_type text,
  size bigint,
  forgotten_by text[] not null,
  forgotten_at double precision not null
);

-- One row per place a hash is known; the lowest rank is its status (protocol 02 §1).
create view message_status as
  select item_hash, status, reception_time, 1 as rank from messages
  union all
  select item_hash, 'forgotten', reception_time, 2 from forgotten_messages
  union all
  select item_hash, 'pending', reception_time, 3 from pending_messages
  union all
  select item_hash, 'rejected', reception_time, 4 from rejected_messages;

-- Posts; an original carries its newest amend. Contents are read from messages.
create table posts (
  item_hash text collate "C" primary key,
  owner text not null,
  type text not null,
  ref text,
  amends text,
  channel text,
  created double precision not null,
  latest_amend text,
  last_updated double precision not null,
  tags text[]
);
create index posts_last_updated on posts (last_updated, item_hash) where amends is null;
create index posts_owner on posts (owner, last_updated) where amends is null;
create index posts_type on posts (type, last_updated) where amends is null;
create index posts_ref on posts (ref) where ref is not null;
create index posts_amends on posts (amends, created, item_hash) where amends is not null;

create table aggregate_elements (
  item_hash text collate "C" primary key,
  owner text not null,
  key text not null,
  content jsonb not null,
  time double precision not null
);
create index aggregate_elements_order on aggregate_elements (owner, key, time, item_hash);

create table aggregates (
  owner text not null,
  key text not null,
  content jsonb not null,
  created double precision not null,
  last_updated double precision not null,
  first_hash text not null,
  last_revision_hash text collate "C" not null,
  primary key (owner, key)
);
create index aggregates_last_updated on aggregates (last_updated, key, owner);

create table files (
  hash text primary key,
  size bigint not null,
  type text not null
);

-- Why a file is kept (protocol 02 §10.1); a file without any pin may be deleted.
create table file_pins (
  id bigint generated always as identity primary key,
  file_hash text not null references files (hash),
  type text not null,
  owner text,
  item_hash text collate "C",
  ref text,
  -- the name that this pin is a revision of (protocol 02 §10.4)
  tag text,
  created double precision not null,
  delete_by timestamptz,
  unique (item_hash, type)
);
create index file_pins_file_hash on file_pins (file_hash);
create index file_pins_tag on file_pins (tag, created, item_hash) where type = 'message';
create unique index file_pins_grace on file_pins (file_hash) where type = 'grace_period' and item_hash is null;
create index file_pins_owner on file_pins (owner, created) where type = 'message';

create table file_tags (
  tag text primary key,
  owner text not null,
  file_hash text not null,
  last_updated double precision not null,
  item_hash text not null
);

create table vms (
  item_hash text primary key,
  owner text not null,
  type text not null,
  persistent boolean not null,
  allow_amend boolean not null,
  payment_type text not null,
  replaces text,
  created double precision not null,
  content jsonb not null
);
create index vms_owner on vms (owner, created);
create index vms_replaces on vms (replaces) where replaces is not null;

-- The STORE messages a VM is built from.
create table vm_references (
  vm_hash text not null references vms (item_hash) on delete cascade,
  ref text not null,
  primary key (ref, vm_hash)
);
create index vm_references_vm on vm_references (vm_hash);

create table account_costs (
  owner text not null,
  item_hash text not null,
  type text not null,
  name text not null,
  ref text,
  payment_type text not null,
  cost_hold numeric not null,
  cost_stream numeric not null,
  cost_credit numeric not null,
  primary key (owner, item_hash, type, name)
);
create index account_costs_item_hash on account_costs (item_hash);
