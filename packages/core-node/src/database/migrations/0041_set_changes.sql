-- The database may crash and come back under a living node, which then must not miss a change.
alter table set_changes set logged;

-- A forgotten message whose content is erased can no longer be given to anybody.
create trigger forgotten_erased after update on forgotten_messages
  referencing new table as changed for each statement execute function note_set_changes();
