-- Users and all that proves who somebody is. Tokens, codes and refresh tokens are kept as SHA-256 of 256 random bits
-- (hexadecimal), passwords as Argon2id PHC strings, TOTP secrets sealed with the installation's secret (tenant/seal.h).

create table users (
    user_id text not null primary key,
    organization_id text not null references organizations (organization_id),
    tenant_id text references tenants (tenant_id),
    email text not null,
    password_hash text not null default '',
    first_name text not null default '',
    last_name text not null default '',
    avatar_url text not null default '',
    timezone text not null default 'UTC',
    language text not null default 'en',
    email_verified boolean not null default false,
    email_verified_at bigint,
    is_active boolean not null default true,
    is_locked boolean not null default false,
    failed_attempts bigint not null default 0,
    first_failed_at bigint,
    locked_until bigint,
    last_login_at bigint,
    password_changed_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint users_user_id check (length(user_id) = 36),
    constraint users_email check (length(email) between 3 and 254 and email = lower(email)),
    constraint users_first_name check (length(first_name) <= 128),
    constraint users_last_name check (length(last_name) <= 128)
);
-- Unique within the living: a deleted user's address may be used again.
create unique index users_by_email on users (email) where deleted_at is null;
create index users_by_organization on users (organization_id, is_active);
create index users_by_tenant on users (tenant_id, deleted_at) where deleted_at is null;

-- One login on one device. Access tokens name it, so that ending it ends them.
create table user_sessions (
    session_id text not null primary key,
    user_id text not null references users (user_id),
    ip_address text not null default '',
    user_agent text not null default '',
    method text not null default 'password',
    is_active boolean not null default true,
    remember boolean not null default false,
    expires_at bigint not null,
    last_used_at bigint not null,
    revoked_at bigint,
    revoked_reason text not null default '',
    created_at bigint not null,
    updated_at bigint not null,
    constraint user_sessions_session_id check (length(session_id) = 36),
    constraint user_sessions_user_agent check (length(user_agent) <= 512),
    constraint user_sessions_method check (method in ('password', 'oidc', 'reset', 'command'))
);
create index user_sessions_by_user on user_sessions (user_id, is_active);
create index user_sessions_by_revocation on user_sessions (revoked_at) where revoked_at is not null;

-- All refresh tokens of a session are one family: an old one that comes again ends the session.
create table refresh_tokens (
    token_id text not null primary key,
    session_id text not null references user_sessions (session_id),
    user_id text not null references users (user_id),
    token_hash text not null unique,
    device_fingerprint text not null default '',
    expires_at bigint not null,
    used_at bigint,
    is_revoked boolean not null default false,
    revoked_at bigint,
    created_at bigint not null,
    constraint refresh_tokens_token_hash check (length(token_hash) = 64)
);
create index refresh_tokens_by_session on refresh_tokens (session_id);

create table email_verifications (
    verification_id text not null primary key,
    user_id text not null references users (user_id),
    token_hash text not null unique,
    email text not null,
    is_used boolean not null default false,
    expires_at bigint not null,
    created_at bigint not null,
    constraint email_verifications_token_hash check (length(token_hash) = 64)
);
create index email_verifications_by_user on email_verifications (user_id);

create table password_reset_tokens (
    reset_id text not null primary key,
    user_id text not null references users (user_id),
    token_hash text not null unique,
    is_used boolean not null default false,
    expires_at bigint not null,
    created_at bigint not null,
    constraint password_reset_tokens_token_hash check (length(token_hash) = 64)
);
create index password_reset_tokens_by_user on password_reset_tokens (user_id);

create table mfa_secrets (
    mfa_id text not null primary key,
    user_id text not null unique references users (user_id),
    secret_encrypted text not null,
    last_step bigint not null default 0,
    failed_attempts bigint not null default 0,
    locked_until bigint,
    is_enabled boolean not null default false,
    enabled_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);

create table mfa_backup_codes (
    code_id text not null primary key,
    user_id text not null references users (user_id),
    code_hash text not null,
    used_at bigint,
    created_at bigint not null,
    constraint mfa_backup_codes_code_hash check (length(code_hash) = 64)
);
create unique index mfa_backup_codes_by_user on mfa_backup_codes (user_id, code_hash);

-- A device that has shown the second factor is not asked again until it expires.
create table trusted_devices (
    device_id text not null primary key,
    user_id text not null references users (user_id),
    device_fingerprint text not null unique,
    device_name text not null default '',
    expires_at bigint not null,
    last_used_at bigint not null,
    created_at bigint not null,
    constraint trusted_devices_device_fingerprint check (length(device_fingerprint) = 64),
    constraint trusted_devices_device_name check (length(device_name) <= 256)
);
create index trusted_devices_by_user on trusted_devices (user_id);

-- Single sign-on: providers of an organization, who came through which, and logins under way.
create table identity_providers (
    identity_provider_id text not null primary key,
    organization_id text not null references organizations (organization_id),
    name text not null,
    code text not null unique,
    issuer text not null,
    client_id text not null,
    client_secret_encrypted text not null default '',
    allowed_domains text not null default '',
    auto_create_users boolean not null default false,
    default_role_id text,
    is_active boolean not null default true,
    created_at bigint not null,
    updated_at bigint not null,
    deleted_at bigint,
    constraint identity_providers_name check (length(name) between 1 and 128),
    constraint identity_providers_code check (length(code) between 1 and 64),
    constraint identity_providers_issuer check (length(issuer) between 8 and 512)
);
create index identity_providers_by_organization on identity_providers (organization_id);

create table user_identities (
    user_identity_id text not null primary key,
    user_id text not null references users (user_id),
    identity_provider_id text not null references identity_providers (identity_provider_id),
    subject text not null,
    created_at bigint not null,
    last_login_at bigint,
    constraint user_identities_subject unique (identity_provider_id, subject)
);
create index user_identities_by_user on user_identities (user_id);

create table identity_logins (
    state_hash text not null primary key,
    identity_provider_id text not null references identity_providers (identity_provider_id),
    secret_encrypted text not null,
    expires_at bigint not null,
    created_at bigint not null,
    constraint identity_logins_state_hash check (length(state_hash) = 64)
);

-- Mail that is still to be sent. The text may hold tokens, so it is sealed, and removed once sent.
create table mail_outbox (
    mail_id text not null primary key,
    recipient text not null,
    message_encrypted text not null,
    attempts bigint not null default 0,
    next_attempt_at bigint not null,
    last_error text not null default '',
    created_at bigint not null
);
create index mail_outbox_by_time on mail_outbox (next_attempt_at);
