-- Where the blocks of files are that are known by a CID, so that other IPFS nodes can be given them one by one.
create table ipfs_blocks (
  -- The sha256 in the block's CID.
  digest bytea not null,
  file_hash text not null references files (hash) on delete cascade,
  -- The piece of the stored file.
  at bigint not null,
  length integer not null,
  -- The block itself, where it is no piece of the file.
  bytes bytea,
  primary key (digest, file_hash)
);
create index ipfs_blocks_file on ipfs_blocks (file_hash);

-- Files whose blocks are to be entered.
create table ipfs_uncatalogued (
  file_hash text primary key references files (hash) on delete cascade
);

create function note_uncatalogued() returns trigger language plpgsql as $$
begin
  insert into ipfs_uncatalogued (file_hash) select hash from entered where hash !~ '^[0-9a-f]{64}$'
  on conflict do nothing;
  return null;
end $$;

create trigger files_entered after insert on files
  referencing new table as entered for each statement execute function note_uncatalogued();

insert into ipfs_uncatalogued (file_hash) select hash from files where hash !~ '^[0-9a-f]{64}$';
