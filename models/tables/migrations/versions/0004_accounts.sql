-- The tables of accounts, as of this revision: sessions, second factors, mail, audit log and what is
-- kept about people. `notify_mail` wakes whoever sends mail.

CREATE TABLE auth_sessions (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    family_hash BYTEA NOT NULL,
    current_hash BYTEA NOT NULL,
    previous_hash BYTEA,
    salt BYTEA,
    rotated_at TIMESTAMP WITH TIME ZONE,
    ip INET,
    user_agent TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    revoked_reason VARCHAR(50),
    CONSTRAINT pk_auth_sessions PRIMARY KEY (id),
    CONSTRAINT fk_auth_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX idx_auth_sessions_expires ON auth_sessions (expires_at);
CREATE INDEX idx_auth_sessions_user ON auth_sessions (user_id);
COMMENT ON TABLE auth_sessions IS 'Sessions with the hashes of their refresh tokens (families).';
COMMENT ON COLUMN auth_sessions.id IS 'Identity.';
COMMENT ON COLUMN auth_sessions.user_id IS 'Whose it is.';
COMMENT ON COLUMN auth_sessions.family_hash IS 'SHA-256 of what all tokens of the session carry.';
COMMENT ON COLUMN auth_sessions.current_hash IS 'SHA-256 of the live token''s secret.';
COMMENT ON COLUMN auth_sessions.previous_hash IS 'SHA-256 of the secret used last.';
COMMENT ON COLUMN auth_sessions.salt IS 'With the token used last, what the live one is derived from.';
COMMENT ON COLUMN auth_sessions.rotated_at IS 'When a token was used last.';
COMMENT ON COLUMN auth_sessions.ip IS 'Address it was last used from.';
COMMENT ON COLUMN auth_sessions.user_agent IS 'Program it was begun with.';
COMMENT ON COLUMN auth_sessions.created_at IS 'When the person signed in.';
COMMENT ON COLUMN auth_sessions.last_seen_at IS 'When a token was last refreshed.';
COMMENT ON COLUMN auth_sessions.expires_at IS 'When it ends unless it is used.';
COMMENT ON COLUMN auth_sessions.revoked_at IS 'When it was ended.';
COMMENT ON COLUMN auth_sessions.revoked_reason IS 'Why it was ended.';

CREATE TABLE mfa_factors (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    kind VARCHAR(20) NOT NULL,
    secret BYTEA NOT NULL,
    last_step BIGINT DEFAULT 0 NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT pk_mfa_factors PRIMARY KEY (id),
    CONSTRAINT valid_factor CHECK (kind IN ('totp')),
    CONSTRAINT fk_mfa_factors_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX idx_mfa_factors_live ON mfa_factors (user_id, kind) WHERE confirmed_at IS NOT NULL;
CREATE INDEX idx_mfa_factors_user ON mfa_factors (user_id);
COMMENT ON TABLE mfa_factors IS 'Second factors; one that was never confirmed protects nothing.';
COMMENT ON COLUMN mfa_factors.id IS 'Identity.';
COMMENT ON COLUMN mfa_factors.user_id IS 'Whose it is.';
COMMENT ON COLUMN mfa_factors.kind IS '`totp` (RFC 6238).';
COMMENT ON COLUMN mfa_factors.secret IS 'Its secret, encrypted.';
COMMENT ON COLUMN mfa_factors.last_step IS 'Newest time step whose code was used; a code works once.';
COMMENT ON COLUMN mfa_factors.confirmed_at IS 'When a first code was right.';
COMMENT ON COLUMN mfa_factors.created_at IS 'When the row was made.';

CREATE TABLE recovery_codes (
    user_id UUID NOT NULL,
    code_hash BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_recovery_codes PRIMARY KEY (user_id, code_hash),
    CONSTRAINT fk_recovery_codes_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
COMMENT ON TABLE recovery_codes IS 'Recovery codes; each works once, and new ones replace all.';
COMMENT ON COLUMN recovery_codes.user_id IS 'Whose it is.';
COMMENT ON COLUMN recovery_codes.code_hash IS 'SHA-256 of the code, without dashes.';
COMMENT ON COLUMN recovery_codes.created_at IS 'When the row was made.';
COMMENT ON COLUMN recovery_codes.used_at IS 'When it was used.';

CREATE TABLE one_time_tokens (
    token_hash BYTEA NOT NULL,
    user_id UUID NOT NULL,
    purpose VARCHAR(20) NOT NULL,
    payload JSONB DEFAULT '{}'::jsonb NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_one_time_tokens PRIMARY KEY (token_hash),
    CONSTRAINT valid_purpose CHECK (purpose IN ('verify_email', 'change_email', 'reset_password', 'mfa')),
    CONSTRAINT fk_one_time_tokens_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX idx_one_time_tokens_expires ON one_time_tokens (expires_at);
CREATE INDEX idx_one_time_tokens_user ON one_time_tokens (user_id, purpose);
COMMENT ON TABLE one_time_tokens IS 'Tokens that work once, by hash; used and expired ones are removed in time.';
COMMENT ON COLUMN one_time_tokens.token_hash IS 'SHA-256 of the token.';
COMMENT ON COLUMN one_time_tokens.user_id IS 'Whose it is.';
COMMENT ON COLUMN one_time_tokens.purpose IS 'What it is good for.';
COMMENT ON COLUMN one_time_tokens.payload IS 'What it carries: the address to change to.';
COMMENT ON COLUMN one_time_tokens.attempts IS 'Wrong codes given with it.';
COMMENT ON COLUMN one_time_tokens.created_at IS 'When the row was made.';
COMMENT ON COLUMN one_time_tokens.expires_at IS 'When it stops working.';
COMMENT ON COLUMN one_time_tokens.used_at IS 'When it was used.';

CREATE TABLE outgoing_mails (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID,
    recipient TEXT NOT NULL,
    template VARCHAR(100) NOT NULL,
    context JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    failed_at TIMESTAMP WITH TIME ZONE,
    last_error TEXT,
    CONSTRAINT pk_outgoing_mails PRIMARY KEY (id),
    CONSTRAINT fk_outgoing_mails_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX idx_mails_open ON outgoing_mails (next_attempt_at) WHERE sent_at IS NULL AND failed_at IS NULL;
CREATE INDEX idx_mails_user ON outgoing_mails (user_id);
COMMENT ON TABLE outgoing_mails IS 'Mail to send, written in one transaction with what it tells of; an insert notifies the channel `outgoing_mails`.';
COMMENT ON COLUMN outgoing_mails.id IS 'Identity, and the Message-ID by which receivers know a repeat.';
COMMENT ON COLUMN outgoing_mails.user_id IS 'Whose it is; null where nobody''s.';
COMMENT ON COLUMN outgoing_mails.recipient IS 'Address.';
COMMENT ON COLUMN outgoing_mails.template IS 'Name of its template.';
COMMENT ON COLUMN outgoing_mails.context IS 'What the template names; emptied once sent or given up, as it may hold a link that works once.';
COMMENT ON COLUMN outgoing_mails.created_at IS 'When the row was made.';
COMMENT ON COLUMN outgoing_mails.next_attempt_at IS 'Not to be tried before.';
COMMENT ON COLUMN outgoing_mails.attempts IS 'How often sending failed.';
COMMENT ON COLUMN outgoing_mails.sent_at IS 'When a server took it.';
COMMENT ON COLUMN outgoing_mails.failed_at IS 'When it was given up.';
COMMENT ON COLUMN outgoing_mails.last_error IS 'Why sending last failed.';

CREATE TABLE audit_log (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    action VARCHAR(100) NOT NULL,
    actor TEXT,
    target TEXT,
    ip INET,
    personal_salt BYTEA,
    personal_digest VARCHAR(64) NOT NULL,
    previous_hash VARCHAR(64) NOT NULL,
    hash VARCHAR(64) NOT NULL,
    CONSTRAINT pk_audit_log PRIMARY KEY (id),
    CONSTRAINT uq_audit_log_user_id_seq UNIQUE (user_id, seq),
    CONSTRAINT positive_audit_seq CHECK (seq >= 1),
    CONSTRAINT fk_audit_log_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
COMMENT ON TABLE audit_log IS 'What was done with accounts, chained by hashes for each account; rows are never changed but for the erasure of what is personal.';
COMMENT ON COLUMN audit_log.id IS 'Identity.';
COMMENT ON COLUMN audit_log.user_id IS 'Whose account it concerns.';
COMMENT ON COLUMN audit_log.seq IS 'From 1, without gaps in an account.';
COMMENT ON COLUMN audit_log.at IS 'When it was done.';
COMMENT ON COLUMN audit_log.action IS 'What was done.';
COMMENT ON COLUMN audit_log.actor IS 'Who did it: an account or `system`; null after erasure.';
COMMENT ON COLUMN audit_log.target IS 'What it was done to; null where nothing more is to be said, and after erasure.';
COMMENT ON COLUMN audit_log.ip IS 'From where; null after erasure.';
COMMENT ON COLUMN audit_log.personal_salt IS 'Salt of `personal_digest`; null after erasure.';
COMMENT ON COLUMN audit_log.personal_digest IS 'HMAC-SHA-256 of actor, target and address: they enter the chain by it.';
COMMENT ON COLUMN audit_log.previous_hash IS 'Hash of the entry before; zeros for the first.';
COMMENT ON COLUMN audit_log.hash IS 'SHA-256 over the entry and the former.';

CREATE TABLE user_preferences (
    user_id UUID NOT NULL,
    theme VARCHAR(20) DEFAULT 'system' NOT NULL,
    locale VARCHAR(35) DEFAULT 'en' NOT NULL,
    timezone VARCHAR(64) DEFAULT 'UTC' NOT NULL,
    default_mode VARCHAR(50) DEFAULT 'category_year' NOT NULL,
    default_operation VARCHAR(20) DEFAULT 'move' NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT pk_user_preferences PRIMARY KEY (user_id),
    CONSTRAINT valid_theme CHECK (theme IN ('system', 'light', 'dark')),
    CONSTRAINT fk_user_preferences_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
COMMENT ON TABLE user_preferences IS 'Preferences; an account without a row has the defaults.';
COMMENT ON COLUMN user_preferences.user_id IS 'Whose they are.';
COMMENT ON COLUMN user_preferences.theme IS '`system`, `light` or `dark`.';
COMMENT ON COLUMN user_preferences.locale IS 'Language tag (BCP 47).';
COMMENT ON COLUMN user_preferences.timezone IS 'Name in the IANA time zone database.';
COMMENT ON COLUMN user_preferences.default_mode IS 'Mode that a new job starts from.';
COMMENT ON COLUMN user_preferences.default_operation IS '`move` or `copy`.';
COMMENT ON COLUMN user_preferences.updated_at IS 'When the row was last changed.';

CREATE TABLE consents (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY,
    user_id UUID NOT NULL,
    kind VARCHAR(20) NOT NULL,
    version VARCHAR(20) NOT NULL,
    is_granted BOOLEAN NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    ip INET,
    CONSTRAINT pk_consents PRIMARY KEY (id),
    CONSTRAINT valid_consent CHECK (kind IN ('terms', 'marketing', 'analytics')),
    CONSTRAINT fk_consents_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX idx_consents_user ON consents (user_id, kind, id DESC);
COMMENT ON TABLE consents IS 'What people agreed to and took back, as a history.';
COMMENT ON COLUMN consents.id IS 'Order of deciding.';
COMMENT ON COLUMN consents.user_id IS 'Who decided.';
COMMENT ON COLUMN consents.kind IS '`terms`, `marketing` or `analytics`.';
COMMENT ON COLUMN consents.version IS 'Version of what was agreed to.';
COMMENT ON COLUMN consents.is_granted IS 'Whether it was given; otherwise taken back.';
COMMENT ON COLUMN consents.at IS 'When it was decided.';
COMMENT ON COLUMN consents.ip IS 'From where.';

CREATE TABLE exports (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    job_id UUID,
    status VARCHAR(20) DEFAULT 'pending' NOT NULL,
    include TEXT[] NOT NULL,
    storage_url TEXT,
    storage_key TEXT,
    size_bytes BIGINT DEFAULT 0 NOT NULL,
    sha256 VARCHAR(64),
    files_count INTEGER DEFAULT 0 NOT NULL,
    missing_count INTEGER DEFAULT 0 NOT NULL,
    error TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    ready_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_exports PRIMARY KEY (id),
    CONSTRAINT valid_export_status CHECK (status IN ('pending', 'running', 'ready', 'failed', 'expired')),
    CONSTRAINT positive_export_size CHECK (size_bytes >= 0),
    CONSTRAINT fk_exports_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_exports_job_id FOREIGN KEY(job_id) REFERENCES organization_jobs (id) ON DELETE SET NULL
);
CREATE INDEX idx_exports_user ON exports (user_id, created_at DESC);
COMMENT ON TABLE exports IS 'Exports of accounts: zip files in managed storage for some days.';
COMMENT ON COLUMN exports.id IS 'Identity.';
COMMENT ON COLUMN exports.user_id IS 'Whose it is.';
COMMENT ON COLUMN exports.job_id IS 'Job that makes it.';
COMMENT ON COLUMN exports.status IS 'Where it stands.';
COMMENT ON COLUMN exports.include IS 'What was asked for.';
COMMENT ON COLUMN exports.storage_url IS 'Root the zip lies in.';
COMMENT ON COLUMN exports.storage_key IS 'Its key there.';
COMMENT ON COLUMN exports.size_bytes IS 'Size of the zip.';
COMMENT ON COLUMN exports.sha256 IS 'SHA-256 of the zip.';
COMMENT ON COLUMN exports.files_count IS 'Files of the customer in it.';
COMMENT ON COLUMN exports.missing_count IS 'Files that could not be read; the zip names them.';
COMMENT ON COLUMN exports.error IS 'Why it failed, in words.';
COMMENT ON COLUMN exports.created_at IS 'When it was asked for.';
COMMENT ON COLUMN exports.ready_at IS 'When the zip was there.';
COMMENT ON COLUMN exports.expires_at IS 'When the zip is removed.';

CREATE TABLE deletion_requests (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    scheduled_for TIMESTAMP WITH TIME ZONE NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    canceled_at TIMESTAMP WITH TIME ZONE,
    completed_at TIMESTAMP WITH TIME ZONE,
    counts JSONB DEFAULT '{}'::jsonb NOT NULL,
    last_error TEXT,
    CONSTRAINT pk_deletion_requests PRIMARY KEY (id),
    CONSTRAINT fk_deletion_requests_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE INDEX idx_deletions_due ON deletion_requests (scheduled_for) WHERE canceled_at IS NULL AND completed_at IS NULL;
CREATE UNIQUE INDEX idx_deletions_open ON deletion_requests (user_id) WHERE canceled_at IS NULL AND completed_at IS NULL;
COMMENT ON TABLE deletion_requests IS 'Deletions of accounts: asked for, perhaps taken back, carried out.';
COMMENT ON COLUMN deletion_requests.id IS 'Identity.';
COMMENT ON COLUMN deletion_requests.user_id IS 'Whose account.';
COMMENT ON COLUMN deletion_requests.requested_at IS 'When it was asked for.';
COMMENT ON COLUMN deletion_requests.scheduled_for IS 'Not to be carried out before.';
COMMENT ON COLUMN deletion_requests.started_at IS 'When erasure began; from then on nobody takes it back.';
COMMENT ON COLUMN deletion_requests.canceled_at IS 'When it was taken back.';
COMMENT ON COLUMN deletion_requests.completed_at IS 'When nothing was left.';
COMMENT ON COLUMN deletion_requests.counts IS 'What was erased: rows and bytes, by kind.';
COMMENT ON COLUMN deletion_requests.last_error IS 'Why it could not be completed yet.';

CREATE FUNCTION notify_mail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('outgoing_mails', NEW.id::text);
    RETURN NULL;
END $$;

CREATE TRIGGER notify_mail AFTER INSERT ON outgoing_mails
    FOR EACH ROW EXECUTE FUNCTION notify_mail();

COMMENT ON COLUMN users.deleted_at IS 'When it was erased; the row stays, without anything personal.';
