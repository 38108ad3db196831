alter table long_jobs drop constraint kind_is_known, add constraint kind_is_known check (kind in ('import', 'export'));
