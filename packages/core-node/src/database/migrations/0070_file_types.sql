-- Whether a refused STORE names a file or a folder, for the day it is accepted after all.
alter table rejected_messages add column file_type text;
