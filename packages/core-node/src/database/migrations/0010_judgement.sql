-- What makes a verdict independent of the order of arrival: every message has a place in one order, and is judged by
-- what stands before it. See "How a verdict is reached" in this package's README.

-- Messages of earlier versions keep the place that their own time gives them.
alter table messages add column place text collate "C" not null default '';
update messages set place =
  lpad(round(((coalesce(content, item_content)::jsonb ->> 'time')::numeric) * 1000000)::text, 17, '0') || ':' ||
  lpad(round(((coalesce(content, item_content)::jsonb ->> 'time')::numeric) * 1000000)::text, 17, '0') || ':' || item_hash;
alter table messages alter column place drop default;
alter table messages add column first_confirmed_at timestamptz;
alter table messages add column first_confirmed_height bigint;

-- A forgotten message can come back while its content is kept: when a FORGET turns out not to have been allowed.
alter table forgotten_messages
  add column place text collate "C" not null default '',
  -- place of the first FORGET that removed it
  add column until text collate "C" not null default '~',
  add column seq bigint,
  add column item_content text,
  add column content text,
  add column content_type text,
  add column content_ref text,
  add column content_key text,
  add column content_item_hash text,
  add column bill json,
  add column first_confirmed_at timestamptz,
  -- when content, item_content and bill are erased; null: they have been
  add column erase_after timestamptz;
create index forgotten_messages_erase on forgotten_messages (erase_after) where erase_after is not null;
create index forgotten_messages_elements on forgotten_messages (owner, content_key) where type = 'AGGREGATE';
create index forgotten_messages_ref on forgotten_messages (content_ref) where content_ref is not null;

alter table rejected_messages
  add column place text collate "C",
  add column seq bigint,
  -- text of a content that was fetched
  add column content text,
  -- size of the file that a STORE names
  add column file_size bigint;

-- What a judged message looked at, and up to where in the order: when something of that name changes before that
-- place, it is judged again.
create table lookups (
  name text not null,
  place text collate "C" not null,
  item_hash text not null,
  primary key (name, place, item_hash)
);
create index lookups_item_hash on lookups (item_hash);

-- Verdicts found to be out of date, when there were too many for one transaction.
create table stale_verdicts (
  item_hash text primary key
);

-- Facts by which others are judged. Each holds from the place of its message (`place`) until that of the FORGET that
-- removed it (`until`; null while it stands).

-- Elements of the aggregates that rule over others: everybody's `security`, the network's prices and settings.
create table ruling_elements (
  item_hash text collate "C" primary key,
  owner text not null,
  key text not null,
  content jsonb not null,
  time double precision not null,
  place text collate "C" not null,
  until text collate "C"
);
create index ruling_elements_key on ruling_elements (owner, key, place);

-- Files of STORE messages; `tag` is the name under which the newest revision is found.
create table stored_files (
  item_hash text collate "C" primary key,
  owner text not null,
  tag text not null,
  is_revision boolean not null,
  file_hash text not null,
  size bigint not null,
  created double precision not null,
  place text collate "C" not null,
  until text collate "C",
  -- not paid for: nothing new may use it
  suspended boolean not null default false
);
create index stored_files_tag on stored_files (tag);

-- VMs and what they allow.
create table vm_versions (
  item_hash text collate "C" primary key,
  owner text not null,
  replaces text,
  allow_amend boolean not null,
  created double precision not null,
  place text collate "C" not null,
  until text collate "C"
);
create index vm_versions_replaces on vm_versions (replaces) where replaces is not null;

-- The STORE messages that VMs are built from and that may not be forgotten meanwhile.
create table file_uses (
  vm_hash text collate "C" not null,
  ref text not null,
  place text collate "C" not null,
  until text collate "C",
  primary key (ref, vm_hash)
);
create index file_uses_vm on file_uses (vm_hash);

-- What each paid message adds to what its account owes: ALEPH, or ALEPH or credits per second.
create table charges (
  item_hash text collate "C" primary key,
  account text not null,
  payment_type text not null,
  amount numeric not null,
  place text collate "C" not null,
  until text collate "C"
);
create index charges_account on charges (account, payment_type, place);
create index charges_place on charges (place);

-- What each processed FORGET removes, with what goes along: amends of posts, versions of VMs.
create table forget_targets (
  forget_hash text collate "C" not null,
  target text not null,
  place text collate "C" not null,
  primary key (target, forget_hash)
);
create index forget_targets_forget on forget_targets (forget_hash);

insert into ruling_elements (item_hash, owner, key, content, time, place)
select e.item_hash, e.owner, e.key, e.content, e.time, m.place
from aggregate_elements e join messages m on m.item_hash = e.item_hash where e.key in ('security', 'pricing', 'settings');
insert into stored_files (item_hash, owner, tag, is_revision, file_hash, size, created, place)
select p.item_hash, p.owner, p.tag, p.ref is not null, p.file_hash, f.size, p.created, m.place
from file_pins p join files f on f.hash = p.file_hash join messages m on m.item_hash = p.item_hash where p.type = 'message';
insert into vm_versions (item_hash, owner, replaces, allow_amend, created, place)
select v.item_hash, v.owner, v.replaces, v.allow_amend, v.created, m.place
from vms v join messages m on m.item_hash = v.item_hash;
insert into file_uses (vm_hash, ref, place)
select r.vm_hash, r.ref, m.place from vm_references r join messages m on m.item_hash = r.vm_hash;
insert into charges (item_hash, account, payment_type, amount, place)
select c.item_hash, min(c.owner), min(c.payment_type),
  sum(case c.payment_type when 'hold' then c.cost_hold when 'credit' then c.cost_credit else c.cost_stream end), min(m.place)
from account_costs c join messages m on m.item_hash = c.item_hash group by c.item_hash;
drop table vm_references;
