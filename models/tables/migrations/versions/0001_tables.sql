-- The specification's seven tables and the pipeline's eight, as of revision 0001.

CREATE TABLE users (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    email CITEXT NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    username CITEXT NOT NULL,
    full_name VARCHAR(255),
    avatar_url TEXT,
    subscription_tier VARCHAR(50) DEFAULT 'free' NOT NULL,
    storage_quota_gb INTEGER DEFAULT 5,
    storage_used_bytes BIGINT DEFAULT 0 NOT NULL,
    storage_reserved_bytes BIGINT DEFAULT 0 NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    is_verified BOOLEAN DEFAULT false NOT NULL,
    is_system BOOLEAN DEFAULT false NOT NULL,
    token_epoch INTEGER DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    last_login_at TIMESTAMP WITH TIME ZONE,
    deleted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT idx_users_email UNIQUE (email),
    CONSTRAINT idx_users_username UNIQUE (username),
    CONSTRAINT valid_tier CHECK (subscription_tier IN ('free', 'pro', 'business', 'enterprise')),
    CONSTRAINT email_length CHECK (length(email) <= 255),
    CONSTRAINT username_length CHECK (length(username) <= 100),
    CONSTRAINT positive_storage CHECK (storage_used_bytes >= 0 AND storage_reserved_bytes >= 0)
);
CREATE INDEX idx_users_subscription ON users (subscription_tier);
COMMENT ON TABLE users IS 'Accounts; one of them is the system''s own, for use without an account.';
COMMENT ON COLUMN users.id IS 'Identity.';
COMMENT ON COLUMN users.email IS 'E-mail address, unique without regard to case; 255 characters at most.';
COMMENT ON COLUMN users.password_hash IS 'Argon2 hash; `!` where nobody can sign in.';
COMMENT ON COLUMN users.username IS 'Name to sign in by, unique without regard to case; 100 at most.';
COMMENT ON COLUMN users.full_name IS 'Name as the person says.';
COMMENT ON COLUMN users.avatar_url IS 'Picture.';
COMMENT ON COLUMN users.subscription_tier IS 'Cache of what `subscriptions` rules; billing is its one writer.';
COMMENT ON COLUMN users.storage_quota_gb IS 'Quota in GB of 10^9 bytes; null is unlimited.';
COMMENT ON COLUMN users.storage_used_bytes IS 'Bytes stored, the trash included.';
COMMENT ON COLUMN users.storage_reserved_bytes IS 'Bytes promised to running writes.';
COMMENT ON COLUMN users.is_active IS 'Whether signing in is allowed.';
COMMENT ON COLUMN users.is_verified IS 'Whether the e-mail address was confirmed.';
COMMENT ON COLUMN users.is_system IS 'Whether it is the product''s own account; counted in no figure.';
COMMENT ON COLUMN users.token_epoch IS 'Raised to end every session at once.';
COMMENT ON COLUMN users.created_at IS 'When the row was made.';
COMMENT ON COLUMN users.updated_at IS 'When the row was last changed.';
COMMENT ON COLUMN users.last_login_at IS 'When last signed in.';
COMMENT ON COLUMN users.deleted_at IS 'When erasure was asked for.';

CREATE TABLE subscriptions (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    plan_id VARCHAR(50) NOT NULL,
    status VARCHAR(50) DEFAULT 'active' NOT NULL,
    stripe_subscription_id VARCHAR(255),
    stripe_customer_id VARCHAR(255),
    current_period_start TIMESTAMP WITH TIME ZONE,
    current_period_end TIMESTAMP WITH TIME ZONE,
    cancel_at_period_end BOOLEAN DEFAULT false NOT NULL,
    trial_start TIMESTAMP WITH TIME ZONE,
    trial_end TIMESTAMP WITH TIME ZONE,
    price_id VARCHAR(255),
    interval VARCHAR(20),
    ended_at TIMESTAMP WITH TIME ZONE,
    grace_until TIMESTAMP WITH TIME ZONE,
    last_stripe_event_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT pk_subscriptions PRIMARY KEY (id),
    CONSTRAINT idx_subscriptions_stripe UNIQUE (stripe_subscription_id),
    CONSTRAINT valid_status CHECK (status IN ('active', 'canceled', 'past_due', 'trialing', 'paused', 'incomplete', 'incomplete_expired', 'unpaid')),
    CONSTRAINT valid_period CHECK (current_period_end > current_period_start),
    CONSTRAINT fk_subscriptions_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX idx_subscriptions_live ON subscriptions (user_id) WHERE status IN ('active', 'trialing', 'past_due', 'unpaid', 'paused');
CREATE INDEX idx_subscriptions_user ON subscriptions (user_id);
COMMENT ON TABLE subscriptions IS 'Subscriptions as Stripe has them; the source of `users.subscription_tier`.';
COMMENT ON COLUMN subscriptions.id IS 'Identity.';
COMMENT ON COLUMN subscriptions.user_id IS 'Whose it is.';
COMMENT ON COLUMN subscriptions.plan_id IS 'Plan of the price list.';
COMMENT ON COLUMN subscriptions.status IS 'Status as Stripe names it.';
COMMENT ON COLUMN subscriptions.stripe_subscription_id IS 'Identity at Stripe; null for Free.';
COMMENT ON COLUMN subscriptions.stripe_customer_id IS 'Customer at Stripe.';
COMMENT ON COLUMN subscriptions.current_period_start IS 'Start of the period paid for; null for Free.';
COMMENT ON COLUMN subscriptions.current_period_end IS 'End of the period paid for, after its start; null for Free.';
COMMENT ON COLUMN subscriptions.cancel_at_period_end IS 'Whether it ends with the period.';
COMMENT ON COLUMN subscriptions.trial_start IS 'Start of the trial.';
COMMENT ON COLUMN subscriptions.trial_end IS 'End of the trial.';
COMMENT ON COLUMN subscriptions.price_id IS 'Price at Stripe.';
COMMENT ON COLUMN subscriptions.interval IS '`month` or `year`.';
COMMENT ON COLUMN subscriptions.ended_at IS 'When it ended for good.';
COMMENT ON COLUMN subscriptions.grace_until IS 'Until when an unpaid one still grants its plan.';
COMMENT ON COLUMN subscriptions.last_stripe_event_at IS 'Time of the newest event applied; older ones change nothing.';
COMMENT ON COLUMN subscriptions.created_at IS 'When the row was made.';
COMMENT ON COLUMN subscriptions.updated_at IS 'When the row was last changed.';

CREATE TABLE storage_roots (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    kind VARCHAR(20) NOT NULL,
    url TEXT NOT NULL,
    last_index JSONB,
    last_index_job_id UUID,
    last_indexed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT pk_storage_roots PRIMARY KEY (id),
    CONSTRAINT uq_storage_roots_user_id_url UNIQUE (user_id, url),
    CONSTRAINT valid_kind CHECK (kind IN ('managed', 'connected')),
    CONSTRAINT fk_storage_roots_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
COMMENT ON TABLE storage_roots IS 'Storage roots: uploads (`managed`) and what users connected.';
COMMENT ON COLUMN storage_roots.id IS 'Identity.';
COMMENT ON COLUMN storage_roots.user_id IS 'Whose it is.';
COMMENT ON COLUMN storage_roots.kind IS '`managed`: bytes stay put; `connected`: organizing moves bytes.';
COMMENT ON COLUMN storage_roots.url IS 'Canonical URL, unique for each account.';
COMMENT ON COLUMN storage_roots.last_index IS 'Reference to the newest complete fingerprint table: uri, table, rows, sha256.';
COMMENT ON COLUMN storage_roots.last_index_job_id IS 'Job that made it.';
COMMENT ON COLUMN storage_roots.last_indexed_at IS 'When it was made.';
COMMENT ON COLUMN storage_roots.created_at IS 'When the row was made.';

CREATE TABLE files (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    filename VARCHAR(500) NOT NULL,
    original_path TEXT,
    storage_path TEXT NOT NULL,
    category VARCHAR(100),
    file_extension VARCHAR(50),
    file_size_bytes BIGINT NOT NULL,
    mime_type VARCHAR(100),
    md5_hash VARCHAR(32),
    sha256_hash VARCHAR(64),
    is_duplicate BOOLEAN DEFAULT false NOT NULL,
    duplicate_of UUID,
    thumbnail_url TEXT,
    metadata JSONB DEFAULT '{}'::jsonb NOT NULL,
    tags TEXT[] DEFAULT '{}'::text[] NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    organized_at TIMESTAMP WITH TIME ZONE,
    deleted_at TIMESTAMP WITH TIME ZONE,
    root_id UUID NOT NULL,
    storage_key TEXT NOT NULL,
    storage_version TEXT NOT NULL,
    modified_ns BIGINT NOT NULL,
    subcategory VARCHAR(100),
    coarse_category VARCHAR(20) DEFAULT 'Others' NOT NULL,
    category_confidence DOUBLE PRECISION,
    hashed_at TIMESTAMP WITH TIME ZONE,
    scan_status VARCHAR(20) DEFAULT 'skipped' NOT NULL,
    purge_after TIMESTAMP WITH TIME ZONE,
    version INTEGER DEFAULT 1 NOT NULL,
    encryption_key_id TEXT,
    team_id UUID,
    last_job_id UUID,
    CONSTRAINT pk_files PRIMARY KEY (id),
    CONSTRAINT uq_files_root_id_storage_key UNIQUE (root_id, storage_key),
    CONSTRAINT positive_size CHECK (file_size_bytes >= 0),
    CONSTRAINT duplicate_of_another CHECK (duplicate_of <> id),
    CONSTRAINT hashed_has_sha256 CHECK (hashed_at IS NULL OR sha256_hash IS NOT NULL),
    CONSTRAINT valid_scan_status CHECK (scan_status IN ('pending', 'clean', 'infected', 'failed', 'skipped')),
    CONSTRAINT fk_files_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_files_duplicate_of FOREIGN KEY(duplicate_of) REFERENCES files (id) ON DELETE SET NULL,
    CONSTRAINT fk_files_root_id FOREIGN KEY(root_id) REFERENCES storage_roots (id)
);
CREATE INDEX idx_files_category ON files (category);
CREATE INDEX idx_files_duplicate_of ON files (duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX idx_files_md5 ON files (md5_hash);
CREATE INDEX idx_files_purge ON files (purge_after) WHERE purge_after IS NOT NULL;
CREATE INDEX idx_files_tags ON files USING gin (tags);
CREATE INDEX idx_files_user ON files (user_id);
CREATE INDEX idx_files_user_live ON files (user_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX idx_files_user_sha256 ON files (user_id, sha256_hash);
COMMENT ON TABLE files IS 'The catalog of files; the newest version of each.';
COMMENT ON COLUMN files.id IS 'Identity.';
COMMENT ON COLUMN files.user_id IS 'Whose it is.';
COMMENT ON COLUMN files.filename IS 'Name shown; its first 500 characters.';
COMMENT ON COLUMN files.original_path IS 'Where it was before it was first organized.';
COMMENT ON COLUMN files.storage_path IS 'Opaque address of its bytes.';
COMMENT ON COLUMN files.category IS 'First level of the taxonomy.';
COMMENT ON COLUMN files.file_extension IS 'Extension of the name, lower case, with its dot.';
COMMENT ON COLUMN files.file_size_bytes IS 'Size in bytes.';
COMMENT ON COLUMN files.mime_type IS 'Media type by content.';
COMMENT ON COLUMN files.md5_hash IS 'MD5, 32 hexadecimal digits; never an identity.';
COMMENT ON COLUMN files.sha256_hash IS 'SHA-256, 64 hexadecimal digits: the identity of content.';
COMMENT ON COLUMN files.is_duplicate IS 'Whether another file is kept for this content.';
COMMENT ON COLUMN files.duplicate_of IS 'The file that is kept; when it goes, the oldest of its duplicates takes its place.';
COMMENT ON COLUMN files.thumbnail_url IS 'Thumbnail; null until made.';
COMMENT ON COLUMN files.metadata IS 'Media facts and the like.';
COMMENT ON COLUMN files.tags IS 'Names of tags.';
COMMENT ON COLUMN files.created_at IS 'When it was first known.';
COMMENT ON COLUMN files.updated_at IS 'When the row was last changed.';
COMMENT ON COLUMN files.organized_at IS 'When it was last organized.';
COMMENT ON COLUMN files.deleted_at IS 'When it went to the trash or was gone from its storage.';
COMMENT ON COLUMN files.root_id IS 'Storage root it lives in.';
COMMENT ON COLUMN files.storage_key IS 'Path below its root, unique in it with `root_id`.';
COMMENT ON COLUMN files.storage_version IS 'What the storage knows this version by; equal means unchanged.';
COMMENT ON COLUMN files.modified_ns IS 'Modification time, nanoseconds since 1970 UTC.';
COMMENT ON COLUMN files.subcategory IS 'Second level of the taxonomy.';
COMMENT ON COLUMN files.coarse_category IS 'Images, Videos, Documents, Audio or Others.';
COMMENT ON COLUMN files.category_confidence IS 'Probability in [0, 1] that `category` is right.';
COMMENT ON COLUMN files.hashed_at IS 'When its bytes were last read in full; `sha256_hash` is there from then on.';
COMMENT ON COLUMN files.scan_status IS 'What the malware scan said.';
COMMENT ON COLUMN files.purge_after IS 'When the trash may let go of it.';
COMMENT ON COLUMN files.version IS 'Raised with every change; the entity tag of conditional requests.';
COMMENT ON COLUMN files.encryption_key_id IS 'Key its bytes are encrypted with at rest.';
COMMENT ON COLUMN files.team_id IS 'Team it belongs to.';
COMMENT ON COLUMN files.last_job_id IS 'Job that last published it.';

CREATE TABLE file_tags (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    tag_name VARCHAR(100) NOT NULL,
    tag_color VARCHAR(7) DEFAULT '#00f7ff',
    usage_count INTEGER DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT pk_file_tags PRIMARY KEY (id),
    CONSTRAINT uq_file_tags_user_id_tag_name UNIQUE (user_id, tag_name),
    CONSTRAINT positive_usage CHECK (usage_count >= 0),
    CONSTRAINT fk_file_tags_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX idx_file_tags_name ON file_tags (tag_name);
CREATE INDEX idx_file_tags_user ON file_tags (user_id);
COMMENT ON TABLE file_tags IS 'Tags an account uses.';
COMMENT ON COLUMN file_tags.id IS 'Identity.';
COMMENT ON COLUMN file_tags.user_id IS 'Whose it is.';
COMMENT ON COLUMN file_tags.tag_name IS 'Name, unique for each account.';
COMMENT ON COLUMN file_tags.tag_color IS 'Color, `#rrggbb`.';
COMMENT ON COLUMN file_tags.usage_count IS 'Files that carry it.';
COMMENT ON COLUMN file_tags.created_at IS 'When the row was made.';

CREATE TABLE analytics_events (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID,
    event_type VARCHAR(100) NOT NULL,
    event_data JSONB DEFAULT '{}'::jsonb NOT NULL,
    ip_address INET,
    user_agent TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT pk_analytics_events PRIMARY KEY (id, created_at),
    CONSTRAINT fk_analytics_events_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE SET NULL
)
 PARTITION BY RANGE (created_at);
CREATE INDEX idx_analytics_created ON analytics_events (created_at DESC);
CREATE INDEX idx_analytics_type ON analytics_events (event_type);
CREATE INDEX idx_analytics_user ON analytics_events (user_id);
COMMENT ON TABLE analytics_events IS 'What people do, partitioned by month (`ensure_analytics_partitions` makes coming months; the default partition takes what has none).';
COMMENT ON COLUMN analytics_events.id IS 'Identity.';
COMMENT ON COLUMN analytics_events.user_id IS 'Whose it is; null once the account is gone.';
COMMENT ON COLUMN analytics_events.event_type IS 'What happened.';
COMMENT ON COLUMN analytics_events.event_data IS 'Details of it.';
COMMENT ON COLUMN analytics_events.ip_address IS 'Address; truncated after 30 days, null after erasure.';
COMMENT ON COLUMN analytics_events.user_agent IS 'Program; null after erasure.';
COMMENT ON COLUMN analytics_events.created_at IS 'When it happened; part of the key because partitions are by it.';

CREATE TABLE api_keys (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    key_hash VARCHAR(255) NOT NULL,
    key_prefix VARCHAR(20) NOT NULL,
    name VARCHAR(200) NOT NULL,
    permissions JSONB DEFAULT '{}'::jsonb NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    is_active BOOLEAN DEFAULT true NOT NULL,
    team_id UUID,
    rotated_from UUID,
    revoked_at TIMESTAMP WITH TIME ZONE,
    ip_allowlist CIDR[],
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT idx_api_keys_hash UNIQUE (key_hash),
    CONSTRAINT fk_api_keys_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_api_keys_rotated_from FOREIGN KEY(rotated_from) REFERENCES api_keys (id) ON DELETE SET NULL
);
CREATE INDEX idx_api_keys_user ON api_keys (user_id);
COMMENT ON TABLE api_keys IS 'API keys; the key itself is shown once and kept nowhere.';
COMMENT ON COLUMN api_keys.id IS 'Identity.';
COMMENT ON COLUMN api_keys.user_id IS 'Whose it is.';
COMMENT ON COLUMN api_keys.key_hash IS 'Hash that the key is found by.';
COMMENT ON COLUMN api_keys.key_prefix IS 'First characters, to tell keys apart.';
COMMENT ON COLUMN api_keys.name IS 'Name given by its owner.';
COMMENT ON COLUMN api_keys.permissions IS 'What it may do: `scopes`.';
COMMENT ON COLUMN api_keys.last_used_at IS 'When last used.';
COMMENT ON COLUMN api_keys.expires_at IS 'When it stops working.';
COMMENT ON COLUMN api_keys.is_active IS 'Whether it works.';
COMMENT ON COLUMN api_keys.team_id IS 'Team it acts for.';
COMMENT ON COLUMN api_keys.rotated_from IS 'Key it replaces.';
COMMENT ON COLUMN api_keys.revoked_at IS 'When it was revoked.';
COMMENT ON COLUMN api_keys.ip_allowlist IS 'Networks it may be used from; null is anywhere.';
COMMENT ON COLUMN api_keys.created_at IS 'When the row was made.';

CREATE TABLE organization_jobs (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    source_path TEXT NOT NULL,
    status VARCHAR(50) DEFAULT 'pending' NOT NULL,
    organization_mode VARCHAR(50) NOT NULL,
    operation_type VARCHAR(20) NOT NULL,
    options JSONB DEFAULT '{}'::jsonb NOT NULL,
    files_processed INTEGER DEFAULT 0 NOT NULL,
    files_moved INTEGER DEFAULT 0 NOT NULL,
    duplicates_found INTEGER DEFAULT 0 NOT NULL,
    errors_count INTEGER DEFAULT 0 NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    completed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    kind VARCHAR(20) DEFAULT 'organize' NOT NULL,
    destination_path TEXT NOT NULL,
    source_root_id UUID NOT NULL,
    destination_root_id UUID NOT NULL,
    target_job_id UUID,
    preview_id UUID,
    files_total INTEGER DEFAULT 0 NOT NULL,
    bytes_total BIGINT DEFAULT 0 NOT NULL,
    phase TEXT DEFAULT '' NOT NULL,
    progress_ratio DOUBLE PRECISION DEFAULT 0 NOT NULL,
    progress_at TIMESTAMP WITH TIME ZONE,
    progress_seq BIGINT DEFAULT 0 NOT NULL,
    running_since TIMESTAMP WITH TIME ZONE,
    running_from_ratio DOUBLE PRECISION DEFAULT 0 NOT NULL,
    error TEXT,
    plan_hash VARCHAR(64),
    entitlement_snapshot JSONB,
    approves_itself BOOLEAN DEFAULT false NOT NULL,
    cancel_requested_at TIMESTAMP WITH TIME ZONE,
    attempt INTEGER DEFAULT 1 NOT NULL,
    launches INTEGER DEFAULT 0 NOT NULL,
    relaunches INTEGER DEFAULT 0 NOT NULL,
    relaunch_after TIMESTAMP WITH TIME ZONE,
    prefect_flow_run_id UUID,
    lease_owner TEXT,
    lease_epoch BIGINT DEFAULT 0 NOT NULL,
    lease_expires_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_organization_jobs PRIMARY KEY (id),
    CONSTRAINT valid_status CHECK (status IN ('pending', 'running', 'canceling', 'completed', 'completed_with_errors', 'failed', 'canceled', 'undone')),
    CONSTRAINT valid_operation CHECK (operation_type IN ('move', 'copy')),
    CONSTRAINT valid_kind CHECK (kind IN ('organize', 'undo', 'reindex', 'verify', 'purge')),
    CONSTRAINT positive_counts CHECK (files_total >= 0 AND bytes_total >= 0 AND files_processed >= 0 AND files_moved >= 0 AND duplicates_found >= 0 AND errors_count >= 0),
    CONSTRAINT valid_progress CHECK (progress_ratio BETWEEN 0 AND 1),
    CONSTRAINT valid_attempts CHECK (attempt >= 1 AND launches >= 0 AND relaunches >= 0),
    CONSTRAINT fk_organization_jobs_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_organization_jobs_source_root_id FOREIGN KEY(source_root_id) REFERENCES storage_roots (id),
    CONSTRAINT fk_organization_jobs_destination_root_id FOREIGN KEY(destination_root_id) REFERENCES storage_roots (id),
    CONSTRAINT fk_organization_jobs_target_job_id FOREIGN KEY(target_job_id) REFERENCES organization_jobs (id) ON DELETE SET NULL
);
CREATE INDEX idx_jobs_created ON organization_jobs (created_at DESC);
CREATE INDEX idx_jobs_status ON organization_jobs (status);
CREATE INDEX idx_jobs_target ON organization_jobs (target_job_id) WHERE target_job_id IS NOT NULL;
CREATE INDEX idx_jobs_user ON organization_jobs (user_id);
COMMENT ON TABLE organization_jobs IS 'Jobs of all kinds, with their leases; the truth about them (not Prefect).';
COMMENT ON COLUMN organization_jobs.id IS 'Identity.';
COMMENT ON COLUMN organization_jobs.user_id IS 'Whose it is.';
COMMENT ON COLUMN organization_jobs.source_path IS 'What was asked for: URL of the source.';
COMMENT ON COLUMN organization_jobs.status IS 'Where it stands; a trigger refuses steps that a job''s life does not have.';
COMMENT ON COLUMN organization_jobs.organization_mode IS 'Mode: a named template.';
COMMENT ON COLUMN organization_jobs.operation_type IS '`move`, or `copy` where sources stay.';
COMMENT ON COLUMN organization_jobs.options IS 'Everything that was chosen.';
COMMENT ON COLUMN organization_jobs.files_processed IS 'Files dealt with so far.';
COMMENT ON COLUMN organization_jobs.files_moved IS 'Files moved or copied so far.';
COMMENT ON COLUMN organization_jobs.duplicates_found IS 'Members of groups beyond their keepers.';
COMMENT ON COLUMN organization_jobs.errors_count IS 'Files that could not be dealt with.';
COMMENT ON COLUMN organization_jobs.started_at IS 'When this attempt first ran.';
COMMENT ON COLUMN organization_jobs.completed_at IS 'When this attempt ended.';
COMMENT ON COLUMN organization_jobs.created_at IS 'When it was asked for.';
COMMENT ON COLUMN organization_jobs.kind IS 'Which flow carries it out.';
COMMENT ON COLUMN organization_jobs.destination_path IS 'URL of the destination.';
COMMENT ON COLUMN organization_jobs.source_root_id IS 'Root of the source.';
COMMENT ON COLUMN organization_jobs.destination_root_id IS 'Root of the destination.';
COMMENT ON COLUMN organization_jobs.target_job_id IS 'Job that an undo undoes.';
COMMENT ON COLUMN organization_jobs.preview_id IS 'Plan that was shown before it was asked for.';
COMMENT ON COLUMN organization_jobs.files_total IS 'Files it concerns.';
COMMENT ON COLUMN organization_jobs.bytes_total IS 'Bytes it concerns.';
COMMENT ON COLUMN organization_jobs.phase IS 'What it is busy with, in words.';
COMMENT ON COLUMN organization_jobs.progress_ratio IS 'Share done, [0, 1]; never falls in an attempt.';
COMMENT ON COLUMN organization_jobs.progress_at IS 'When progress was last told.';
COMMENT ON COLUMN organization_jobs.progress_seq IS 'Number of its newest event.';
COMMENT ON COLUMN organization_jobs.running_since IS 'When it last began to run; rates are counted from here.';
COMMENT ON COLUMN organization_jobs.running_from_ratio IS 'Share that was done by then.';
COMMENT ON COLUMN organization_jobs.error IS 'Why it failed, in words.';
COMMENT ON COLUMN organization_jobs.plan_hash IS 'Hash of its newest plan.';
COMMENT ON COLUMN organization_jobs.entitlement_snapshot IS 'What the account was entitled to when it asked.';
COMMENT ON COLUMN organization_jobs.approves_itself IS 'Whether asking for it was its approval; otherwise its plan waits for one.';
COMMENT ON COLUMN organization_jobs.cancel_requested_at IS 'When somebody asked it to stop.';
COMMENT ON COLUMN organization_jobs.attempt IS 'Raised by a retry after it failed or was canceled.';
COMMENT ON COLUMN organization_jobs.launches IS 'How often it was handed to Prefect, all attempts together.';
COMMENT ON COLUMN organization_jobs.relaunches IS 'Launches after a worker''s death since progress was last made.';
COMMENT ON COLUMN organization_jobs.relaunch_after IS 'Earliest time of the next launch after a worker''s death.';
COMMENT ON COLUMN organization_jobs.prefect_flow_run_id IS 'Newest flow run.';
COMMENT ON COLUMN organization_jobs.lease_owner IS 'Worker that holds it; null when none.';
COMMENT ON COLUMN organization_jobs.lease_epoch IS 'Fencing number: raised by each new holder; writes of older ones are refused.';
COMMENT ON COLUMN organization_jobs.lease_expires_at IS 'When another worker may take it.';

CREATE TABLE organization_plans (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    job_id UUID NOT NULL,
    plan_hash VARCHAR(64) NOT NULL,
    source_url TEXT NOT NULL,
    destination_url TEXT NOT NULL,
    options JSONB NOT NULL,
    totals JSONB NOT NULL,
    moves JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    saved_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    approved_by TEXT,
    approved_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_organization_plans PRIMARY KEY (id),
    CONSTRAINT approval_whole_or_absent CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CONSTRAINT fk_organization_plans_job_id FOREIGN KEY(job_id) REFERENCES organization_jobs (id) ON DELETE CASCADE
);
CREATE INDEX idx_plans_job ON organization_plans (job_id, saved_at DESC);
COMMENT ON TABLE organization_plans IS 'Plans, the previews of jobs; the newest of a job is the one that counts.';
COMMENT ON COLUMN organization_plans.id IS 'Identity.';
COMMENT ON COLUMN organization_plans.job_id IS 'Job.';
COMMENT ON COLUMN organization_plans.plan_hash IS 'SHA-256 over moves, roots and options; approving names it.';
COMMENT ON COLUMN organization_plans.source_url IS 'Root of the sources.';
COMMENT ON COLUMN organization_plans.destination_url IS 'Root of the destinations.';
COMMENT ON COLUMN organization_plans.options IS 'What was chosen.';
COMMENT ON COLUMN organization_plans.totals IS 'Sums over the moves.';
COMMENT ON COLUMN organization_plans.moves IS 'Reference to the moves in the lake: uri, table, rows, sha256.';
COMMENT ON COLUMN organization_plans.created_at IS 'When it was made, by the clock of its maker.';
COMMENT ON COLUMN organization_plans.saved_at IS 'When it was stored; the newest of a job counts.';
COMMENT ON COLUMN organization_plans.approved_by IS 'Who approved it.';
COMMENT ON COLUMN organization_plans.approved_at IS 'When it was approved.';

CREATE TABLE organization_operations (
    job_id UUID NOT NULL,
    seq INTEGER NOT NULL,
    source_root_id UUID NOT NULL,
    destination_root_id UUID NOT NULL,
    size_bytes BIGINT NOT NULL,
    modified_ns BIGINT NOT NULL,
    unit_id TEXT NOT NULL,
    action VARCHAR(20) NOT NULL,
    state VARCHAR(20) DEFAULT 'planned' NOT NULL,
    source_key TEXT NOT NULL,
    destination_key TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    version TEXT NOT NULL,
    keeper_key TEXT,
    reason TEXT DEFAULT '' NOT NULL,
    destination_version TEXT,
    receipt JSONB,
    error TEXT,
    recorded_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_organization_operations PRIMARY KEY (job_id, seq),
    CONSTRAINT valid_state CHECK (state IN ('planned', 'copied', 'done', 'refused', 'failed', 'deferred'))
)
 WITH (fillfactor = 60);
COMMENT ON TABLE organization_operations IS 'The journal: what a job does to storage, and how far each operation got. Deleting a job deletes its journal by a trigger: a foreign key would be checked for every row and double the price of writing it.';
COMMENT ON COLUMN organization_operations.job_id IS 'Job.';
COMMENT ON COLUMN organization_operations.seq IS 'Order of application, from 0.';
COMMENT ON COLUMN organization_operations.source_root_id IS 'Root of the source.';
COMMENT ON COLUMN organization_operations.destination_root_id IS 'Root of the destination.';
COMMENT ON COLUMN organization_operations.size_bytes IS 'Size the source must have.';
COMMENT ON COLUMN organization_operations.modified_ns IS 'Modification time of the source, nanoseconds since 1970 UTC.';
COMMENT ON COLUMN organization_operations.unit_id IS 'Operations of one unit go together.';
COMMENT ON COLUMN organization_operations.action IS 'What is done.';
COMMENT ON COLUMN organization_operations.state IS 'How far it got; only forward.';
COMMENT ON COLUMN organization_operations.source_key IS 'Path below the source''s root.';
COMMENT ON COLUMN organization_operations.destination_key IS 'Path below the destination''s root.';
COMMENT ON COLUMN organization_operations.sha256 IS 'Content the source must have.';
COMMENT ON COLUMN organization_operations.version IS 'Version the source must have.';
COMMENT ON COLUMN organization_operations.keeper_key IS 'For a removal: path of the file that proves that a copy stays.';
COMMENT ON COLUMN organization_operations.reason IS 'Why, in words.';
COMMENT ON COLUMN organization_operations.destination_version IS 'Version of the destination once it is published.';
COMMENT ON COLUMN organization_operations.receipt IS 'What was read and when, for a later undo and for proof.';
COMMENT ON COLUMN organization_operations.error IS 'Why it was not carried out, in words.';
COMMENT ON COLUMN organization_operations.recorded_at IS 'When its state last changed.';

CREATE TABLE journal_folders (
    job_id UUID NOT NULL,
    root_id UUID NOT NULL,
    key TEXT NOT NULL,
    existed BOOLEAN NOT NULL,
    mode INTEGER,
    modified_ns BIGINT,
    CONSTRAINT pk_journal_folders PRIMARY KEY (job_id, root_id, key)
);
COMMENT ON TABLE journal_folders IS 'Folders a job writes to or empties, as they were before, for its undo. Deleted with the job by a trigger.';
COMMENT ON COLUMN journal_folders.job_id IS 'Job.';
COMMENT ON COLUMN journal_folders.root_id IS 'Root.';
COMMENT ON COLUMN journal_folders.key IS 'Path of the folder below the root; empty for the root itself.';
COMMENT ON COLUMN journal_folders.existed IS 'Whether it was there.';
COMMENT ON COLUMN journal_folders.mode IS 'Permission bits.';
COMMENT ON COLUMN journal_folders.modified_ns IS 'Modification time, nanoseconds since 1970 UTC.';

CREATE TABLE job_events (
    job_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    kind VARCHAR(50) NOT NULL,
    data JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT pk_job_events PRIMARY KEY (job_id, seq),
    CONSTRAINT positive_seq CHECK (seq >= 1),
    CONSTRAINT fk_job_events_job_id FOREIGN KEY(job_id) REFERENCES organization_jobs (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX idx_job_events_terminal ON job_events (job_id, attempt) WHERE kind = 'job:complete';
COMMENT ON TABLE job_events IS 'What happened to a job, in order, without gaps; an insert notifies the channel `job_events` with `<job_id>:<seq>`.';
COMMENT ON COLUMN job_events.job_id IS 'Job.';
COMMENT ON COLUMN job_events.seq IS 'From 1, without gaps.';
COMMENT ON COLUMN job_events.attempt IS 'Attempt it belongs to.';
COMMENT ON COLUMN job_events.kind IS '`job:progress`, or `job:complete` once for each attempt.';
COMMENT ON COLUMN job_events.data IS 'The job as its readers see it.';
COMMENT ON COLUMN job_events.created_at IS 'When it happened.';

CREATE TABLE outbox_events (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY,
    topic VARCHAR(50) DEFAULT 'job.launch' NOT NULL,
    job_id UUID NOT NULL,
    launch_no INTEGER NOT NULL,
    payload JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    failed_at TIMESTAMP WITH TIME ZONE,
    last_error TEXT,
    CONSTRAINT pk_outbox_events PRIMARY KEY (id),
    CONSTRAINT uq_outbox_events_job_id_launch_no UNIQUE (job_id, launch_no),
    CONSTRAINT fk_outbox_events_job_id FOREIGN KEY(job_id) REFERENCES organization_jobs (id) ON DELETE CASCADE
);
CREATE INDEX idx_outbox_open ON outbox_events (next_attempt_at) WHERE sent_at IS NULL AND failed_at IS NULL;
COMMENT ON TABLE outbox_events IS 'Jobs to hand to Prefect, written in one transaction with the job; an insert notifies the channel `outbox_events`.';
COMMENT ON COLUMN outbox_events.id IS 'Order of writing.';
COMMENT ON COLUMN outbox_events.topic IS 'What is to be done.';
COMMENT ON COLUMN outbox_events.job_id IS 'Job.';
COMMENT ON COLUMN outbox_events.launch_no IS 'Which launch of the job; with it, Prefect''s idempotency key.';
COMMENT ON COLUMN outbox_events.payload IS '`deployment`: which one to run.';
COMMENT ON COLUMN outbox_events.created_at IS 'When the row was made.';
COMMENT ON COLUMN outbox_events.next_attempt_at IS 'Not to be tried before.';
COMMENT ON COLUMN outbox_events.attempts IS 'How often sending failed.';
COMMENT ON COLUMN outbox_events.sent_at IS 'When it arrived.';
COMMENT ON COLUMN outbox_events.failed_at IS 'When it was given up.';
COMMENT ON COLUMN outbox_events.last_error IS 'Why sending last failed.';

CREATE TABLE duplicate_groups (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    root_id UUID NOT NULL,
    truth_class VARCHAR(20) NOT NULL,
    group_key TEXT NOT NULL,
    files_count INTEGER DEFAULT 0 NOT NULL,
    wasted_bytes BIGINT DEFAULT 0 NOT NULL,
    job_id UUID,
    ignored_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT pk_duplicate_groups PRIMARY KEY (id),
    CONSTRAINT uq_duplicate_groups_root_id_truth_class_group_key UNIQUE (root_id, truth_class, group_key),
    CONSTRAINT valid_truth_class CHECK (truth_class IN ('full_hash', 'perceptual', 'textual')),
    CONSTRAINT positive_counts CHECK (files_count >= 0 AND wasted_bytes >= 0),
    CONSTRAINT fk_duplicate_groups_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_duplicate_groups_root_id FOREIGN KEY(root_id) REFERENCES storage_roots (id)
);
CREATE INDEX idx_duplicate_groups_user ON duplicate_groups (user_id, wasted_bytes DESC);
COMMENT ON TABLE duplicate_groups IS 'Groups of duplicates, as the newest run over their root found them.';
COMMENT ON COLUMN duplicate_groups.id IS 'Identity.';
COMMENT ON COLUMN duplicate_groups.user_id IS 'Whose it is.';
COMMENT ON COLUMN duplicate_groups.root_id IS 'Storage root.';
COMMENT ON COLUMN duplicate_groups.truth_class IS 'How certain; only `full_hash` may be removed automatically.';
COMMENT ON COLUMN duplicate_groups.group_key IS 'Identity of the group: the SHA-256 for full-hash groups.';
COMMENT ON COLUMN duplicate_groups.files_count IS 'Members, the keeper among them.';
COMMENT ON COLUMN duplicate_groups.wasted_bytes IS 'Bytes a removal would free.';
COMMENT ON COLUMN duplicate_groups.job_id IS 'Job that found it.';
COMMENT ON COLUMN duplicate_groups.ignored_at IS 'When its owner asked not to be shown it.';
COMMENT ON COLUMN duplicate_groups.created_at IS 'When the row was made.';

CREATE TABLE duplicate_members (
    group_id UUID NOT NULL,
    file_id UUID NOT NULL,
    is_keeper BOOLEAN DEFAULT false NOT NULL,
    similarity_ratio DOUBLE PRECISION DEFAULT 1 NOT NULL,
    is_hardlink BOOLEAN DEFAULT false NOT NULL,
    wasted_bytes BIGINT DEFAULT 0 NOT NULL,
    keep_reason TEXT DEFAULT '' NOT NULL,
    is_removable BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_duplicate_members PRIMARY KEY (group_id, file_id),
    CONSTRAINT valid_similarity CHECK (similarity_ratio BETWEEN 0 AND 1),
    CONSTRAINT positive_waste CHECK (wasted_bytes >= 0),
    CONSTRAINT fk_duplicate_members_group_id FOREIGN KEY(group_id) REFERENCES duplicate_groups (id) ON DELETE CASCADE,
    CONSTRAINT fk_duplicate_members_file_id FOREIGN KEY(file_id) REFERENCES files (id) ON DELETE CASCADE
);
CREATE INDEX idx_duplicate_members_file ON duplicate_members (file_id);
CREATE UNIQUE INDEX idx_duplicate_members_keeper ON duplicate_members (group_id) WHERE is_keeper;
COMMENT ON TABLE duplicate_members IS 'Members of groups of duplicates; one of each is the keeper.';
COMMENT ON COLUMN duplicate_members.group_id IS 'Group.';
COMMENT ON COLUMN duplicate_members.file_id IS 'File.';
COMMENT ON COLUMN duplicate_members.is_keeper IS 'Whether this is the member that stays.';
COMMENT ON COLUMN duplicate_members.similarity_ratio IS '1 for equal bytes.';
COMMENT ON COLUMN duplicate_members.is_hardlink IS 'Whether it shares its bytes with another member.';
COMMENT ON COLUMN duplicate_members.wasted_bytes IS 'Bytes its removal would free.';
COMMENT ON COLUMN duplicate_members.keep_reason IS 'Which rule chose the keeper, in words.';
COMMENT ON COLUMN duplicate_members.is_removable IS 'Whether a rule may remove it.';
