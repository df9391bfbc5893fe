-- Machines and files are billed apart, each window of each kind once.
alter table credit_bills add column kind text not null default 'execution';
alter table credit_bills drop constraint credit_bills_pkey;
alter table credit_bills add primary key (window_end, kind);

-- Which posts paid a lease: of two bills for one hour of one machine only the first counts.
create index credit_history_lease on credit_history (origin_ref) where origin_ref like 'lease/%';
