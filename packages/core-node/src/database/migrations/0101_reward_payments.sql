-- Rewards that this node pays. Everything is written down before it is sent, so that nothing is paid twice.
create table reward_payments (
  -- first second of the UTC day
  day bigint not null,
  position integer not null,
  -- units of 10^-18 ALEPH by address, as text
  targets json not null,
  nonce bigint,
  raw_transaction text,
  tx_hash text,
  paid boolean not null default false,
  primary key (day, position)
);

-- Days that are done: paid and told about, or without anything to pay.
create table reward_days (
  day bigint primary key,
  -- the post that tells about it
  item_hash text
);
