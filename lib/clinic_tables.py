"""What a clinic takes along when it leaves: one statement per table, a page of rows each.

`:after`: the last row's key, None for the first page. What is not here, and why, stands in LEFT_OUT and OMITTED.
"""

PAGE = 1_000

# Tables of one clinic that stay behind.
LEFT_OUT = {
    "drafts": "unfinished, its author's alone, and gone in seven days",
    "repeats": "which requests were repeated, gone in a day",
    "answer_cache": "a copy of answers that stand in chat_messages",
    "clinic_alerts": "who was told of what stands in ai_budgets, emergencies and ai_calls",
    "clinic_alert_mutes": "for how long nobody was",
    "long_jobs": "files on their way into patients, gone in seven days",
    "export_parts": "this archive",
    "import_outcomes": "what became of their rows, which stand in patients",
    **dict.fromkeys(("figure_marks", "figure_changes", "usage_hours", "usage_days", "latency_days", "member_days", "patient_days",
                     "article_days", "emergency_days", "budget_days"), "sums of ai_calls, emergencies and ai_budgets"),
}
# Columns that stay behind: secrets, and what is computed from the other columns.
OMITTED = {
    "invitations": {"token_hash"}, "api_clients": {"secret_hash"},
    "credential_documents": {"content"}, "assistant_settings": {"api_key"}, "patients": {"search"},
    "chat_messages": {"stop_asked"},
}
# How a page of the next rows is asked for: by which column. The other tables come whole.
KEYS = {
    "patient_notes": "patient_id",
    "erasures": "patient_id",
    "emergency_actions": "emergency_id",
    "audit_seals": "audit_id",
    **dict.fromkeys(("patients", "patient_versions", "patient_note_versions", "merges", "chat_threads", "chat_messages",
                     "ai_calls", "emergencies", "clinic_articles", "audit_log"), "id"),
}

STATEMENTS = {
    "clinics": """
        select id, name, country, time_zone, currency, language, emergency_number, factor_required, keep_allowed,
               owner_networks, version, created_at, updated_at
        from clinics
        where id = :clinic_id
        order by id
        """,
    "memberships": """
        select clinic_id, user_id, role, display_name, created_at, ended_at, signed_out_at
        from memberships
        where clinic_id = :clinic_id
        order by user_id
        """,
    "invitations": """
        select clinic_id, id, email, email_norm, role, invited_by, created_at, expires_at, accepted_at, withdrawn_at
        from invitations
        where clinic_id = :clinic_id
        order by id
        """,
    "api_clients": """
        select clinic_id, id, name, role, scopes, networks, request_limit, created_by, created_at, last_used_at, revoked_at
        from api_clients
        where clinic_id = :clinic_id
        order by id
        """,
    "clinician_credentials": """
        select clinic_id, user_id, specialization, licence_number, status, reason, submitted_at, decided_by, decided_at,
               version
        from clinician_credentials
        where clinic_id = :clinic_id
        order by user_id
        """,
    "credential_documents": """
        select clinic_id, id, user_id, file_name, media_type, created_at
        from credential_documents
        where clinic_id = :clinic_id
        order by id
        """,
    "patients": """
        select clinic_id, id, user_id, archived_at, external_id, full_name, email, phone, date_of_birth, deceased, deceased_on,
               name_key, email_norm, phone_key, version, changed_by, created_at, updated_at, merged_into, erased_at
        from patients
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or id > cast(:after as uuid))
        order by id
        limit 1000
        """,
    "patient_notes": """
        select clinic_id, patient_id, medical_notes, alerts, version, changed_by, updated_at
        from patient_notes
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or patient_id > cast(:after as uuid))
        order by patient_id
        limit 1000
        """,
    "patient_versions": """
        select clinic_id, id, patient_id, version, changed_by, changed_at, fields, data
        from patient_versions
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or id > cast(:after as uuid))
        order by id
        limit 1000
        """,
    "patient_note_versions": """
        select clinic_id, id, patient_id, version, changed_by, changed_at, fields, data
        from patient_note_versions
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or id > cast(:after as uuid))
        order by id
        limit 1000
        """,
    "merges": """
        select clinic_id, id, kept_id, merged_id, merged_by, merged_at, kept_versions, notes_versions, merged_version,
               messages, undone_by, undone_at
        from merges
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or id > cast(:after as uuid))
        order by id
        limit 1000
        """,
    "erasures": """
        select clinic_id, patient_id, erased_by, erased_at, reason, messages, versions
        from erasures
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or patient_id > cast(:after as uuid))
        order by patient_id
        limit 1000
        """,
    "chat_threads": """
        select clinic_id, id, patient_id, user_id, created_at
        from chat_threads
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or id > cast(:after as uuid))
        order by id
        limit 1000
        """,
    "chat_messages": """
        select clinic_id, id, thread_id, patient_id, user_id, question_id, attempt, role, status, content, sent, metadata,
               created_at, finished_at
        from chat_messages
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or id > cast(:after as uuid))
        order by id
        limit 1000
        """,
    "ai_calls": """
        select clinic_id, id, message_id, patient_id, user_id, route, status, provider, model_requested, model_used,
               provider_request_id, tokens_in, tokens_cached, tokens_out, tokens_reasoning, usage_source, price, cost_usd,
               cost_source, saved_usd, budget_day, reserved_usd, first_token_ms, latency_ms, tier, rule_set, article, language,
               redactions, created_at, finished_at
        from ai_calls
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or id > cast(:after as uuid))
        order by id
        limit 1000
        """,
    "emergencies": """
        select clinic_id, id, message_id, thread_id, patient_id, user_id, categories, rule_set, raised_at, acknowledged_by,
               acknowledged_at, false_alarm, general
        from emergencies
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or id > cast(:after as uuid))
        order by id
        limit 1000
        """,
    "emergency_actions": """
        select clinic_id, emergency_id, user_id, action_taken, said_at
        from emergency_actions
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or emergency_id > cast(:after as uuid))
        order by emergency_id
        limit 1000
        """,
    "answer_ratings": """
        select clinic_id, message_id, user_id, helpful, reason, rated_at
        from answer_ratings
        where clinic_id = :clinic_id
        order by message_id, user_id
        """,
    "clinic_articles": """
        select clinic_id, id, user_id, title, other_names, body, archived_at, version, changed_by, created_at, updated_at
        from clinic_articles
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or id > cast(:after as uuid))
        order by id
        limit 1000
        """,
    "article_reviews": """
        select clinic_id, slug, user_id, text_hash, reviewed_at
        from article_reviews
        where clinic_id = :clinic_id
        order by slug
        """,
    "assistant_settings": """
        select clinic_id, provider_on, baa_on_file, base_url, model, daily_budget_usd, version, changed_by, updated_at
        from assistant_settings
        where clinic_id = :clinic_id
        """,
    "ai_budgets": """
        select clinic_id, day, spent_usd, reserved_usd, warned_at, stopped_at
        from ai_budgets
        where clinic_id = :clinic_id
        order by day
        """,
    "audit_log": """
        select clinic_id, id, happened_at, user_id, session_id, action, resource, resource_id, patient_id, fields, row_count,
               term_hash, address, request_id
        from audit_log
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or id > cast(:after as uuid))
        order by id
        limit 1000
        """,
    "audit_seals": """
        select clinic_id, audit_id, seq, row_hash, chain_hash, sealed_at
        from audit_seals
        where clinic_id = :clinic_id
          and (cast(:after as uuid) is null or audit_id > cast(:after as uuid))
        order by audit_id
        limit 1000
        """,
}
