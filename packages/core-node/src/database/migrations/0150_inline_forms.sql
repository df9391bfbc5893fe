-- item_type is not signed: a message whose content could have come inline is kept inline, however it came, so that nodes
-- that were given different copies agree. Lengths are those of UTF-16, as everywhere.
create function could_be_inline(hash text, content text) returns boolean language sql immutable as $$
  select char_length(content) + regexp_count(content, '[\U00010000-\U0010FFFF]') <= 200000
    and encode(sha256(convert_to(content, 'UTF8')), 'hex') = hash
$$;
update messages set item_type = 'inline', item_content = content, content = null, size = char_length(content)
  where item_type = 'storage' and could_be_inline(item_hash, content);
update forgotten_messages set item_type = 'inline', item_content = content, content = null
  where item_type = 'storage' and could_be_inline(item_hash, content);
delete from file_pins p using messages m where p.item_hash = m.item_hash and p.type = 'content' and m.item_type = 'inline';
drop function could_be_inline(text, text);
