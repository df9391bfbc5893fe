-- The core node that each compute node was linked to last, and since when it is so no more, epoch seconds.
create table node_links (
  node text collate "C" primary key,
  parent text not null,
  ended double precision
);
