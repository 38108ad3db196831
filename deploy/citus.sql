-- Distributes the schema by clinic, on Citus 14 or newer. Runs at its place inside schema.sql, where the tables stand and no
-- foreign key, function or policy does yet; docs/scale.md has the command and what each node needs before.
-- Whatever belongs to a clinic lies with that clinic on one worker. What every clinic reads is on each of them. Accounts and
-- what keeps the house (sessions, tickets, refresh tokens, backups, the job queue) stay on the coordinator, as they belong to nobody's clinic.

set local citus.multi_shard_modify_mode to 'sequential';  -- foreign keys to reference tables need it in one transaction

select create_reference_table('users');
select create_reference_table('articles');
select create_reference_table('model_prices');
select create_reference_table('service_spend');
select create_reference_table('archives');  -- the triggers of calls ask which months have left

select create_distributed_table('clinics', 'id');
select create_distributed_table('memberships', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('invitations', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('api_clients', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('repeats', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('clinician_credentials', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('credential_documents', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('patients', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('patient_notes', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('patient_versions', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('patient_note_versions', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('merges', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('erasures', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('chat_threads', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('chat_messages', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('ai_calls', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('emergencies', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('emergency_actions', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('assistant_settings', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('ai_budgets', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('answer_cache', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('answer_ratings', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('clinic_articles', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('article_reviews', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('figure_marks', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('figure_changes', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('usage_hours', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('usage_days', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('latency_days', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('member_days', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('patient_days', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('article_days', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('emergency_days', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('budget_days', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('drafts', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('audit_log', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('audit_seals', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('long_jobs', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('import_outcomes', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('export_parts', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('clinic_alerts', 'clinic_id', colocate_with => 'clinics');
select create_distributed_table('clinic_alert_mutes', 'clinic_id', colocate_with => 'clinics');
