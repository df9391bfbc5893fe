-- Since when compute nodes have had a score too low for VMs, epoch seconds: those for which that lasts are emptied.
create table low_scores (
  node text collate "C" primary key,
  since double precision not null
);
