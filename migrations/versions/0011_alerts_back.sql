drop function app.alone(), app.watch_clinics(), app.queue_alerts(), app.defer_alert(uuid, uuid), app.muted_until(text),
    app.clinic_muted_until(uuid, text), app.test_alert(), app.alert_mailboxes(text), app.installation_alerts(),
    app.mute_installation(text, timestamptz), app.alert_counts(), app.opened_at();
revoke execute on function app.installation_spend(date) from chairside_worker;
drop table clinic_alert_mutes;
drop table clinic_alerts;
drop table alert_mutes;
drop table alerts;
drop table process_minutes;
