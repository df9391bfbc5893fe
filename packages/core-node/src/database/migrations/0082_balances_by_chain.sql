create index balances_chain on balances (chain, address);
create index reported_balances_chain on reported_balances (chain, address);
