-- What each account owes for everything that stands, so that nobody has to add up thousands of charges for one more.
create table charge_totals (
  account text not null,
  payment_type text not null,
  amount numeric not null,
  primary key (account, payment_type)
);
insert into charge_totals
select account, payment_type, sum(amount) from charges where until is null group by account, payment_type;

create function add_to_charge_totals() returns trigger language plpgsql as $$
begin
  if tg_op <> 'INSERT' then
    update charge_totals t set amount = t.amount - gone.amount
    from (select account, payment_type, sum(amount) as amount from old_rows where until is null
          group by account, payment_type) gone
    where t.account = gone.account and t.payment_type = gone.payment_type;
  end if;
  if tg_op <> 'DELETE' then
    insert into charge_totals
    select account, payment_type, sum(amount) from new_rows where until is null group by account, payment_type
    on conflict (account, payment_type) do update set amount = charge_totals.amount + excluded.amount;
  end if;
  return null;
end $$;

create trigger charges_added after insert on charges
  referencing new table as new_rows for each statement execute function add_to_charge_totals();
create trigger charges_changed after update on charges
  referencing old table as old_rows new table as new_rows for each statement execute function add_to_charge_totals();
create trigger charges_removed after delete on charges
  referencing old table as old_rows for each statement execute function add_to_charge_totals();

create index charges_until on charges (account, payment_type, until) where until is not null;
