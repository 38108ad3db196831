-- The way back: everything here can be counted again.

drop trigger mark_figures on ai_calls;
drop trigger mark_figures on emergencies;
drop trigger mark_all_figures on clinics;
drop policy definer on emergencies;
drop view usage_now, usage_by_day_now, latency_now, member_now, patient_now, article_now, emergency_now, usage_stale, latency_stale, member_stale,
    patient_stale, article_stale, emergency_stale, stale_calls, stale_days;
drop function app.refresh_rollups(integer), app.roll_up(uuid, date[]), app.mark_figures(), app.mark_all_figures(), app.log_bucket(numeric),
    app.step_start(date, date, date, integer);
drop table figure_marks, figure_changes, usage_hours, usage_days, latency_days, member_days, patient_days, article_days, emergency_days,
    budget_days;
