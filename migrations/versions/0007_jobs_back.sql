-- Back to no queue: jobs that still wait, and reports of imports, are lost.

drop schema procrastinate cascade;
drop table import_outcomes, long_jobs;
drop function app.defer_job(text, uuid), app.ask_reset(text), app.issue_reset_of(uuid, bytea), app.forget_long_jobs(),
    app.rescue_jobs(interval), app.queue_state(), app.move_long_job();
revoke execute on function app.enter(uuid, uuid), app.find_invitation(uuid, bytea), app.may_invite(text, text) from chairside_worker;
revoke insert on patients from chairside_worker;
revoke update (full_name, email, phone, date_of_birth, deceased, deceased_on, name_key, phone_key, search) on patients from chairside_worker;
revoke select, insert on patient_notes from chairside_worker;
revoke update (medical_notes, alerts) on patient_notes from chairside_worker;
revoke insert (clinic_id, user_id, session_id, action, resource, resource_id, patient_id, fields, row_count, term_hash, address,
               request_id) on audit_log from chairside_worker;
revoke select (clinic_id, id, invited_by) on invitations from chairside_worker;
revoke insert (id) on invitations from chairside_app;
