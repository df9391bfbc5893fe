-- An original carries the tags of its newest version, by which lists find it.
alter table posts add column shown_tags text[];
update posts set shown_tags = tags where amends is null and latest_amend is null and tags is not null;
update posts original set shown_tags = newest.tags
  from posts newest where newest.item_hash = original.latest_amend and newest.tags is not null;
drop index posts_tags;
create index posts_shown_tags on posts using gin (shown_tags) where shown_tags is not null;

-- What columns of messages have to do with the type, which the planner would not think.
create statistics messages_key_of_type (mcv) on type, content_key from messages;
create statistics messages_content_of_type (mcv) on type, content_type from messages;

-- Both are of use only once the planner has looked at them.
analyze posts;
analyze messages;
