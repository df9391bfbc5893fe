-- How many messages of the state there are, by status and type: totals of the lists that everybody asks for.
create table status_counts (
  status text not null,
  type text not null,
  total bigint not null,
  primary key (status, type)
);
insert into status_counts (status, type, total) select status, type, count(*) from messages group by status, type;

create function add_to_status_counts(statuses text[], types text[], sign integer) returns void language sql as $$
  insert into status_counts as known (status, type, total)
    select status, type, sign * count(*) from unnest(statuses, types) as changed(status, type)
    group by status, type order by status, type
  on conflict (status, type) do update set total = known.total + excluded.total
$$;

create or replace function count_new_messages() returns trigger language plpgsql as $$
begin
  perform add_to_sender_counts(array_agg(sender), array_agg(type), 1),
    add_to_status_counts(array_agg(status), array_agg(type), 1) from changed having count(*) > 0;
  return null;
end $$;
create or replace function count_lost_messages() returns trigger language plpgsql as $$
begin
  perform add_to_sender_counts(array_agg(sender), array_agg(type), -1),
    add_to_status_counts(array_agg(status), array_agg(type), -1) from changed having count(*) > 0;
  return null;
end $$;

create function count_changed_statuses() returns trigger language plpgsql as $$
begin
  perform add_to_status_counts(array_agg(b.status), array_agg(b.type), -1),
    add_to_status_counts(array_agg(a.status), array_agg(a.type), 1)
    from before_rows b join after_rows a using (item_hash) where a.status <> b.status having count(*) > 0;
  return null;
end $$;
create trigger statuses_counted after update on messages
  referencing old table as before_rows new table as after_rows
  for each statement execute function count_changed_statuses();
