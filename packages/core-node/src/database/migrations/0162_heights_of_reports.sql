-- Reports of balances take effect in the order in which they were written, each at the highest block that one before it
-- names (protocol 06 §2.2). So what a report does depends on those before it by the same believed senders.
alter table balance_post_heights
  add column sender text not null default '',
  add column sender_time bigint not null default 0;
update balance_post_heights b set sender = m.sender, sender_time = m.sender_time
  from messages m where m.item_hash = b.item_hash;
alter table balance_post_heights alter column sender drop default, alter column sender_time drop default;
create index balance_post_heights_order on balance_post_heights (platform, sender_time, item_hash);

create or replace function note_balance_posts() returns trigger language plpgsql as $$
begin
  insert into balance_post_heights (item_hash, platform, height, sender, sender_time)
    select c.item_hash, r.platform, r.height, c.sender, c.sender_time
    from changed c, report_of_balances(coalesce(c.content, c.item_content)) r
    where c.type = 'POST' and c.content_type = 'balances-update'
    on conflict do nothing;
  return null;
end $$;

-- A report that comes or goes moves those written after it that name lower blocks.
create or replace function note_changed_heights() returns trigger language plpgsql as $$
begin
  insert into registry_changes (height)
    select least(min(c.height), min(later.height)) from changed c
    left join lateral (
      select min(b.height) as height from balance_post_heights b
      where b.platform = c.platform and (b.sender_time, b.item_hash) > (c.sender_time, c.item_hash) and b.height < c.height
    ) later on true
    having count(*) > 0;
  return null;
end $$;
