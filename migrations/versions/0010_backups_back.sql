drop table restores;
drop table backups;
