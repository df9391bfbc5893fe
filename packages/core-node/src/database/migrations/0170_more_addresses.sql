-- Where else a peer says that it is, besides the address that older nodes announce.
alter table peers add column more_addresses text[] not null default '{}';
