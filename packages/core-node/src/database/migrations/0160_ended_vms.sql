-- VMs that this node saw placed, and that are wanted no more: forgotten, or not paid for.
create view ended_vms as
  select e.* from (
    select item_hash, type, owner, sender, payment_type, false as is_unpaid, to_timestamp(forgotten_at) as ended_at,
      (coalesce(content, item_content)::json -> 'on' ->> 'persistent')::boolean as persistent
    from forgotten_messages where type in ('PROGRAM', 'INSTANCE', 'V-PROGRAM')
    union all
    select item_hash, type, owner, sender, payment_type, true, removed_at, null
    from removed_messages where type in ('PROGRAM', 'INSTANCE', 'V-PROGRAM')
    union all
    select m.item_hash, m.type, v.owner, m.sender, v.payment_type, true, null, v.persistent
    from messages m join vms v on v.item_hash = m.item_hash where m.status = 'removing'
  ) e
  where exists (select from placement_history h where h.vm_hash = e.item_hash);
create index forgotten_vms on forgotten_messages (item_hash) where type in ('PROGRAM', 'INSTANCE', 'V-PROGRAM');
create index removed_vms on removed_messages (item_hash) where type in ('PROGRAM', 'INSTANCE', 'V-PROGRAM');
