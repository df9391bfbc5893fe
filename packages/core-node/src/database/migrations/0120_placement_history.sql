-- What this node saw happen to the places of VMs; not part of the state that nodes share.
create table placement_history (
  id bigint generated always as identity primary key,
  vm_hash text not null,
  node_hash text not null,
  action text not null,
  reason text,
  at timestamptz not null default now()
);
create index placement_history_vm on placement_history (vm_hash, id);
create index placement_history_node on placement_history (node_hash, id);
