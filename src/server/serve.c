/* SPDX-License-Identifier: Apache-2.0 */
/* Wires everything: the only place that knows all modules. */
#include "server/serve.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include "api/api.h"
#include "base/log.h"
#include "control/resource.h"
#include "enrich/geo.h"
#include "enrich/user_agent.h"
#include "ingest/loader.h"
#include "ingest/states.h"
#include "ingest/window_rebuild.h"
#include "meta/migrate_meta.h"
#include "os/clock.h"
#include "os/memory.h"
#include "os/socket.h"
#include "os/thread.h"
#include "proto/http.h"
#include "server/address.h"
#include "server/audit_mover.h"
#include "server/audit_retention.h"
#include "server/certificate.h"
#include "server/domains.h"
#include "server/engine_child.h"
#include "server/link_follower.h"
#include "server/people.h"
#include "server/person.h"
#include "server/places.h"
#include "server/remote_store.h"
#include "server/scheduled_jobs.h"
#include "server/stopping.h"
#include "server/store_migrations.h"
#include "server/telemetry.h"
#include "tenant/refresher.h"

#define SERVER_ENGINE_WAIT_MS 60000
/* How long the loader may take at start for segments an earlier process left, before requests are taken anyway. */
#define SERVER_RECOVERY_LOG_MS 5000
#define SERVER_DRAIN_MS 3000
#define SERVER_DRAIN_CHECK_MS 5
#define SERVER_SPOOL_QUEUE 1024
#define SERVER_LOOP_LIMIT 256
/* For rows on their way, before a person's are looked for over HTTP. */
#define SERVER_PERSON_SPOOL_MS 60000

extern const struct embedded_file server_page[]; /* tools/embed, from ui/dist */
extern const struct embedded_file server_tracker[]; /* the same, from sdk/dist */
static const char server_version[] = MILLRACE_VERSION;

/* One event loop and all that belongs to its thread. */
struct server_loop {
    struct server *server;
    struct os_loop *loop;
    struct os_thread thread;
    struct tenant_view view;
    struct flag_view flags;
    struct ingest_loop *ingest;
    struct api_loop api;
    struct http_settings http;
    struct listen_listener *listeners[SERVER_ADDRESS_COUNT];
    struct os_task drain_task;
    struct os_timer drain_timer;
    int64_t drain_until_ms;
};

struct server {
    const struct settings *settings;
    struct places places;
    int lock_fd;
    struct metric_registry *metrics;
    struct people *people;
    struct engine_child *engine; /* one of these two is NULL */
    struct remote_store *remote;
    struct store *store;
    struct ingest_tables tables;
    struct spool *spool;
    struct ingest_window *window;
    struct ingest_answers *answers;
    struct ingest_states *states;
    struct client_address_rules address_rules;
    struct user_agent_parser *user_agents;
    struct geo *geo;
    struct ingest *ingest;
    struct query_pool *pool;
    struct control_pool *control_pool;
    struct api *api;
    struct meta_database *access; /* the refresher's own connections to what people own */
    struct tenant_refresher *refresher;
    struct flag_keeper *flags;
    struct loader *loader;
    struct audit_mover *audit;
    struct link_follower *links;
    struct scheduled_jobs *jobs;
    size_t loop_count;
    struct server_loop *loops;
    struct server_certificate *certificate;
    struct telemetry *telemetry;
    atomic_bool is_stopping;
    struct server_address addresses[SERVER_ADDRESS_COUNT];
};

static enum error_code server_lock(struct server *server, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/lock", server->places.data);
    server->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (server->lock_fd < 0) return error_set_errno(error, errno, "open %s", path);
    if (flock(server->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return error_set(error, ERROR_CONFLICT, "another server uses the data folder %s", server->places.data);
    return ERROR_NONE;
}

static bool server_is_ready(void *context)
{
    struct server *server = context;
    return server->remote ? remote_store_is_up(server->remote) : engine_child_is_up(server->engine);
}

static void server_changed(void *context)
{
    struct server *server = context;
    tenant_refresher_catch_up(server->refresher);
    flag_keeper_catch_up(server->flags);
}

/* ---- one person's rights ---- */

static enum error_code server_person_begin(struct server *server, struct store_session *session, const struct api_person *asked,
                                           struct person_store *store, struct person *person, struct error *error)
{
    *store = (struct person_store){.settings = server->settings, .session = session, .states = server->states,
                                    .cancelled = &server->is_stopping};
    *person = (struct person){.is_device = asked->is_device};
    snprintf(person->tenant_id, sizeof person->tenant_id, "%s", asked->tenant_id);
    snprintf(person->name, sizeof person->name, "%.*s", SLICE_ARGS(asked->name));
    return person_wait_for_spool(store, SERVER_PERSON_SPOOL_MS, error);
}

static enum error_code server_person_export(void *context, struct store_session *session, const struct api_person *asked,
                                            bool (*received)(void *context, struct slice bytes), void *received_context,
                                            struct error *error)
{
    struct person_store store;
    struct person person;
    enum error_code code = server_person_begin(context, session, asked, &store, &person, error);
    return code ? code : person_export(&store, &person, received, received_context, error);
}

static enum error_code server_person_erase(void *context, struct store_session *session, const struct control_call *call,
                                           const struct api_person *asked, struct buffer *out, struct error *error)
{
    struct person_store store;
    struct person person;
    struct control_purge_report report = {0};
    enum error_code code = server_person_begin(context, session, asked, &store, &person, error);
    if (!code) code = person_erase_audited(&store, &person, call, call->organization_id, &report, error);
    if (!code) person_report_write(&report, out);
    return code;
}

static void server_report_refresh(void *context, const struct error *error)
{
    if (error) log_error("tenants: keys and tenants cannot be read and stay as they were: %s", error->message);
    else log_info("tenants: keys and tenants are read again");
}

static void server_report_flags(void *context, const struct error *error)
{
    if (error) log_error("flags: they cannot be read and stay as they were: %s", error->message);
    else log_info("flags: they are read again");
}

static enum error_code server_start_store(struct server *server, struct error *error)
{
    const struct settings *settings = server->settings;
    enum error_code code = remote_store_create(settings, server->places.engine_socket, &server->store, error);
    if (code == ERROR_NONE && settings->store_url[0])
        code = remote_store_start(server->store, server->metrics, SERVER_ENGINE_WAIT_MS, &server->remote, error);
    else if (code == ERROR_NONE)
        code = engine_child_start(settings, &server->places, server->metrics, SERVER_ENGINE_WAIT_MS, &server->engine, error);
    struct store_session *session = NULL;
    if (code == ERROR_NONE) code = store_session_create(server->store, &session, error);
    if (code == ERROR_NONE) code = store_migrations_up(settings, session, NULL, NULL, error);
    if (code == ERROR_NONE) code = audit_retention_apply(settings, session, error);
    store_session_destroy(session);
    return code;
}

static enum error_code server_start_spool(struct server *server, struct error *error)
{
    const struct settings *settings = server->settings;
    struct spool_settings spool = {
        .directory = server->places.spool,
        .files = &os_file_system_real,
        .schemas = server->tables.schemas,
        .schema_count = server->tables.count,
        .commit_interval_us = settings->spool_commit_interval_us,
        .commit_bytes_limit = (size_t)settings->spool_commit_bytes,
        .seal_rows = (uint64_t)settings->spool_seal_rows,
        .seal_bytes = (uint64_t)settings->spool_seal_bytes,
        .seal_age_ms = settings->spool_seal_age_ms,
        .limit_bytes = (uint64_t)settings->spool_limit_bytes,
        .queue_capacity = SERVER_SPOOL_QUEUE,
        .metrics = server->metrics,
    };
    size_t recovered = 0;
    enum error_code code = spool_open(&spool, &server->spool, &recovered, error);
    if (code != ERROR_NONE) return code;
    struct loader_settings loader = {.spool = server->spool, .store = server->store, .tables = &server->tables,
                                     .is_embedded = server->engine != NULL,
                                     /* A remote store did not go down with this machine. */
                                     .tokens_forgotten = server->engine && !places_is_same_boot(&server->places),
                                     .metrics = server->metrics};
    code = loader_start(&loader, &server->loader, error);
    if (code != ERROR_NONE) return code;
    if (recovered == 0) return places_note_boot(&server->places, error);
    /* What an earlier process left must be in the store before the window of ids is read back from there. */
    log_info("spool: %zu segments of an earlier run go to the event store", recovered);
    for (int64_t said_ms = os_clock_monotonic_ms(); spool_depth(server->spool) > 0;) {
        if (stopping_is_asked()) return error_set(error, ERROR_CANCELLED, "told to end before all segments of an earlier run were stored");
        poll(NULL, 0, 10);
        if (os_clock_monotonic_ms() - said_ms < SERVER_RECOVERY_LOG_MS) continue;
        said_ms = os_clock_monotonic_ms();
        log_info("spool: %zu segments to go", spool_depth(server->spool));
    }
    return places_note_boot(&server->places, error); /* only now: a kill before this must still know of the power cut */
}

static enum error_code server_start_ingest(struct server *server, struct error *error)
{
    const struct settings *settings = server->settings;
    server->window = ingest_window_create((size_t)settings->ingest_duplicate_window_rows, settings->ingest_duplicate_window_ms);
    ASSERT(server->window != NULL);
    struct store_session *session = NULL;
    enum error_code code = store_session_create(server->store, &session, error);
    if (code == ERROR_NONE)
        code = ingest_window_rebuild(server->window, &server->tables, session, (size_t)settings->ingest_duplicate_window_rows,
                                     settings->ingest_duplicate_window_ms, error);
    server->answers = ingest_answers_create(settings->ingest_duplicate_window_ms);
    ASSERT(server->answers != NULL);
    if (code == ERROR_NONE)
        code = ingest_answers_rebuild(server->answers, session, settings->ingest_duplicate_window_ms, error);
    store_session_destroy(session);
    const struct domain_state_setting state_settings[] = {{"session_timeout_ms", settings->analytics_session_timeout_ms},
                                                          {"session_limit", settings->analytics_session_limit},
                                                          {"rollup_interval_ms", settings->metrics_rollup_interval_ms},
                                                          {"series_limit", settings->metrics_series_limit}};
    const struct ingest_states_settings states = {
        .domains = server_domains, .domain_count = server_domain_count, .settings = state_settings,
        .setting_count = sizeof state_settings / sizeof state_settings[0], .spool = server->spool, .window = server->window,
        .store = server->store, .tables = &server->tables, .tick_ms = (int)settings->analytics_session_flush_ms, .metrics = server->metrics};
    if (code == ERROR_NONE) code = ingest_states_start(&states, &server->states, error);
    if (code != ERROR_NONE) return code;
    struct ingest_settings ingest = {
        .domains = server_domains, .domain_count = server_domain_count, .spool = server->spool, .window = server->window,
        .answers = server->answers, .states = server->states,
        .secret = people_control(server->people)->secret, .address_rules = &server->address_rules,
        .user_agents = server->user_agents, .geo = server->geo,
        .batch_bytes_limit = (size_t)settings->ingest_batch_bytes, .metrics = server->metrics};
    server->ingest = ingest_create(&ingest, &server->tables);
    ASSERT(server->ingest != NULL);
    return ERROR_NONE;
}

static enum error_code server_start_audit(struct server *server, struct error *error)
{
    const struct audit_mover_settings settings = {
        .control = people_control(server->people), .data = server->places.data, .spool = server->spool,
        .window = server->window, .tables = &server->tables, .metrics = server->metrics};
    return audit_mover_start(&settings, &server->audit, error);
}

/* The embedded engine gives one statement a third of what it has. */
static uint64_t server_query_memory(const struct settings *settings)
{
    int64_t third = settings->engine_memory_bytes / 3;
    bool is_third_less = !settings->store_url[0] && third < settings->query_memory_bytes;
    return (uint64_t)(is_third_less ? third : settings->query_memory_bytes);
}

static enum error_code server_start_links(struct server *server, struct error *error)
{
    const struct link_follower_settings settings = {
        .control = people_control(server->people), .spool = server->spool, .window = server->window, .tables = &server->tables,
        .user_agents = server->user_agents, .geo = server->geo, .metrics = server->metrics};
    return link_follower_start(&settings, &server->links, error);
}

static enum error_code server_start_api(struct server *server, struct error *error)
{
    const struct settings *settings = server->settings;
    int threads = settings->query_threads ? (int)settings->query_threads : 2 * os_thread_processor_count();
    enum error_code code = query_pool_create(server->store, threads > 64 ? 64 : threads, (size_t)settings->query_queue,
                                             server->metrics, &server->pool, error);
    if (code == ERROR_NONE)
        code = control_pool_create(CONTROL_POOL_THREADS, CONTROL_POOL_QUEUE, server->metrics, &server->control_pool, error);
    if (code != ERROR_NONE) return code;
    struct api_settings api = {.domains = server_domains, .domain_count = server_domain_count, .pool = server->pool,
                               .resources = control_resources, .actions = control_actions,
                               .control = people_control(server->people), .control_pool = server->control_pool,
                               .address_rules = &server->address_rules, .geo = server->geo, .public_url = settings->public_url, .is_tls = server->certificate != NULL,
                               .version = server_version, .watch = telemetry_watch(server->telemetry),
                               .people = {server_person_export, server_person_erase, server, threads > 3 ? threads / 2 : 1},
                               .query_timeout_ms = settings->query_timeout_ms, .query_cache_ms = settings->query_cache_ms,
                               .query_memory_bytes = server_query_memory(settings), .metrics = server->metrics,
                               .links = {link_follower_follow, server->links}, .changed = server_changed, .changed_context = server, .is_ready = server_is_ready,
                               .ready_context = server, .page = server_page, .tracker = server_tracker};
    server->api = api_create(&api);
    ASSERT(server->api != NULL);
    return ERROR_NONE;
}

/* ---- event loops ---- */

static void server_loop_drain_check(struct os_timer *timer)
{
    struct server_loop *loop = (struct server_loop *)((char *)timer - offsetof(struct server_loop, drain_timer));
    if (ingest_loop_is_idle(loop->ingest) || os_loop_now_ms(loop->loop) > loop->drain_until_ms) os_loop_stop(loop->loop);
    else os_loop_timer_start(loop->loop, &loop->drain_timer, SERVER_DRAIN_CHECK_MS);
}

static void server_loop_drain(struct os_task *task)
{
    struct server_loop *loop = (struct server_loop *)((char *)task - offsetof(struct server_loop, drain_task));
    for (size_t i = 0; i < SERVER_ADDRESS_COUNT; i++)
        if (loop->listeners[i]) listen_listener_stop(loop->listeners[i]);
    loop->drain_until_ms = os_loop_now_ms(loop->loop) + SERVER_DRAIN_MS;
    server_loop_drain_check(&loop->drain_timer);
}

static void server_loop_run(void *context) { os_loop_run(((struct server_loop *)context)->loop); }

static enum error_code server_loop_prepare(struct server *server, struct server_loop *loop, struct error *error)
{
    loop->server = server;
    loop->drain_task.run = server_loop_drain;
    loop->drain_timer.fire = server_loop_drain_check;
    loop->loop = os_loop_create(error);
    return loop->loop ? ERROR_NONE : error->code;
}

static void server_loop_serve(struct server_loop *loop)
{
    struct server *server = loop->server;
    const struct settings *settings = server->settings;
    loop->ingest = ingest_loop_create(server->ingest, loop->loop, &loop->view);
    loop->api = (struct api_loop){.api = server->api, .ingest = loop->ingest, .view = &loop->view, .flags = &loop->flags};
    loop->http = http_settings_default();
    loop->http.handler = api_handle;
    loop->http.admit = api_admit;
    loop->http.respond_error = api_respond_error;
    loop->http.context = &loop->api;
    loop->http.body_limit_bytes = (size_t)settings->http_body_limit_bytes;
    loop->http.header_timeout_ms = settings->http_header_timeout_ms;
    loop->http.body_timeout_ms = settings->http_body_timeout_ms;
    loop->http.idle_timeout_ms = settings->http_idle_timeout_ms;
    loop->http.cross_origin = api_is_cross_origin;
    loop->http.common_headers = api_common_headers(server->api);
}

static enum error_code server_listen(struct server *server, struct server_address *address, struct error *error)
{
    size_t number = (size_t)(address - server->addresses);
    for (size_t i = 0; i < server->loop_count; i++) {
        struct server_loop *loop = &server->loops[i];
        struct listen_settings listen = {.connection_limit = (size_t)server->settings->http_connection_limit,
                                         .protocol = &http_protocol, .protocol_context = &loop->http,
                                         .tls = server_certificate_tls(server->certificate)};
        enum error_code code = server_address_open(address, loop->loop, &listen, &loop->listeners[number], error);
        if (code != ERROR_NONE) return code;
    }
    return ERROR_NONE;
}

static enum error_code server_start_loops(struct server *server, struct error *error)
{
    enum error_code code = server_addresses_read(server->settings, server->addresses, error);
    if (code != ERROR_NONE) return code;
    server->loop_count = server->settings->loops ? (size_t)server->settings->loops : (size_t)os_thread_processor_count();
    if (server->loop_count > SERVER_LOOP_LIMIT) server->loop_count = SERVER_LOOP_LIMIT;
    server->loops = calloc(server->loop_count, sizeof *server->loops);
    ASSERT(server->loops != NULL);
    struct os_loop *loops[SERVER_LOOP_LIMIT];
    struct tenant_view *views[SERVER_LOOP_LIMIT];
    struct flag_view *flag_views[SERVER_LOOP_LIMIT];
    for (size_t i = 0; i < server->loop_count; i++) {
        if ((code = server_loop_prepare(server, &server->loops[i], error)) != ERROR_NONE) return code;
        loops[i] = server->loops[i].loop;
        views[i] = &server->loops[i].view;
        flag_views[i] = &server->loops[i].flags;
    }
    code = meta_open(server->places.metadata, META_SERVICE_CORE, &server->access, error);
    if (code == ERROR_NONE)
        code = tenant_refresher_start(server->access, loops, views, server->loop_count, server_report_refresh, server,
                                      &server->refresher, error);
    if (code == ERROR_NONE)
        code = flag_keeper_start(people_control(server->people)->product, loops, flag_views, server->loop_count, server_report_flags, server,
                                 &server->flags, error);
    if (code == ERROR_NONE) code = people_start(server->people, tenant_refresher_key_states(server->refresher), error);
    if (code == ERROR_NONE)
        code = scheduled_jobs_start(server->settings, people_control(server->people), server->store, &server->jobs, error);
    for (size_t i = 0; code == ERROR_NONE && i < server->loop_count; i++) server_loop_serve(&server->loops[i]);
    for (size_t i = 0; code == ERROR_NONE && i < SERVER_ADDRESS_COUNT; i++)
        code = server_listen(server, &server->addresses[i], error);
    for (size_t i = 0; code == ERROR_NONE && i < server->loop_count; i++)
        code = os_thread_start(&server->loops[i].thread, "loop", server_loop_run, &server->loops[i], error);
    return code;
}

static enum error_code server_read_proxies(struct server *server, struct error *error)
{
    struct error inner;
    const char *list = server->settings->trusted_proxies;
    enum error_code code = client_address_rules_parse(slice_from_string(list), &server->address_rules, &inner);
    if (code == ERROR_NONE) return code;
    return error_set_field(error, code, "http.trusted_proxies", "setting http.trusted_proxies: \"%s\": %s", list, inner.message);
}

/* What turns requests into more than they say: the rules of user agents, the databases of places. */
static enum error_code server_open_enrichment(struct server *server, struct error *error)
{
    char paths[PATH_MAX + 64];
    enum error_code code = user_agent_parser_create(&server->user_agents, error);
    if (code == ERROR_NONE) code = geo_open(places_find_geo(server->settings, &server->places, paths, sizeof paths), &server->geo, error);
    if (code == ERROR_NONE && geo_database_count(server->geo) > 0)
        log_info("geo: %zu databases of places are open", geo_database_count(server->geo));
    return code;
}

static bool server_own_pin(const void *server, char pin[LISTEN_TLS_PIN_SIZE]) { return server_pin(server, pin); }

static enum error_code server_start_all(struct server *server, struct error *error)
{
    const struct settings *settings = server->settings;
    enum error_code code = settings_apply_log_level(settings, error);
    if (code == ERROR_NONE) code = telemetry_create(settings, server->metrics, server_version, &server->telemetry, error);
    if (code == ERROR_NONE) code = server_read_proxies(server, error);
    if (code == ERROR_NONE) code = server_certificate_start(settings, server->metrics, &server->certificate, error);
    if (code == ERROR_NONE) code = places_find(settings, &server->places, error);
    if (code == ERROR_NONE) code = server_lock(server, error);
    if (code == ERROR_NONE) code = server_open_enrichment(server, error);
    if (code == ERROR_NONE) code = people_open(settings, &server->places, &server->people, error);
    if (code == ERROR_NONE) code = server_start_store(server, error);
    if (code == ERROR_NONE) code = server_start_spool(server, error);
    if (code == ERROR_NONE) code = server_start_ingest(server, error);
    if (code == ERROR_NONE) code = server_start_audit(server, error);
    if (code == ERROR_NONE) code = server_start_links(server, error);
    if (code == ERROR_NONE) code = server_start_api(server, error);
    if (code == ERROR_NONE) code = server_start_loops(server, error);
    if (code == ERROR_NONE) code = telemetry_start(server->telemetry, server_url(server), server_own_pin, server, error);
    return code;
}

enum error_code server_start(const struct settings *settings, struct server **ret_server, struct error *error)
{
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    os_memory_keep();
    struct server *server = calloc(1, sizeof *server);
    ASSERT(server != NULL);
    server->settings = settings;
    server->lock_fd = -1;
    server->metrics = metric_registry_create();
    server->tables = ingest_tables_make(server_domains, server_domain_count);
    enum error_code code = server_start_all(server, error);
    if (code != ERROR_NONE) {
        server_stop(server);
        return code;
    }
    *ret_server = server;
    return ERROR_NONE;
}

const char *server_url(const struct server *server) { return server->addresses[0].url; }

bool server_pin(const struct server *server, char pin[LISTEN_TLS_PIN_SIZE])
{
    if (!server->certificate) return false;
    listen_tls_pin(server_certificate_tls(server->certificate), pin);
    return true;
}

const char *server_url_of(const struct server *server, const char *name)
{
    for (size_t i = 0; i < SERVER_ADDRESS_COUNT; i++)
        if (server->addresses[i].is_open && strcmp(server->addresses[i].name, name) == 0) return server->addresses[i].url;
    return NULL;
}

void server_describe(const struct server *server, struct buffer *out)
{
    for (size_t i = 0; i < SERVER_ADDRESS_COUNT; i++)
        if (server->addresses[i].is_open) buffer_printf(out, "%s %s\n", i ? server->addresses[i].name : "ready", server->addresses[i].url);
}

void server_wait(struct server *server)
{
    sigset_t stops;
    int signal_number;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    while (sigwait(&stops, &signal_number) != 0) continue;
    log_info("server: stopping");
}

void server_stop_request(struct server *server) { kill(getpid(), SIGTERM); }

void server_stop(struct server *server)
{
    telemetry_stop(server->telemetry); /* what it still sends is taken by what stops below */
    atomic_store(&server->is_stopping, true);
    /* Questions and changes first: their answers need the loops. Then the loops drain: what is decoded is synced and answered. */
    query_pool_stop(server->pool);
    control_pool_stop(server->control_pool);
    link_follower_stop(server->links);
    scheduled_jobs_stop(server->jobs);
    tenant_refresher_stop(server->refresher);
    flag_keeper_stop(server->flags);
    for (size_t i = 0; i < server->loop_count; i++)
        if (server->loops[i].thread.running) os_loop_post(server->loops[i].loop, &server->loops[i].drain_task);
    for (size_t i = 0; i < server->loop_count; i++) os_thread_join(&server->loops[i].thread);
    people_stop(server->people); /* now: it writes down the last use of keys */
    audit_mover_stop(server->audit);
    link_follower_destroy(server->links);
    ingest_states_stop(server->states); /* after the last request: it writes what they came to */
    loader_stop(server->loader);
    if (server->spool) spool_close(server->spool);
    for (size_t i = 0; i < server->loop_count; i++) {
        for (size_t j = 0; j < SERVER_ADDRESS_COUNT; j++) listen_listener_destroy(server->loops[i].listeners[j]);
        ingest_loop_destroy(server->loops[i].ingest);
        tenant_view_fini(&server->loops[i].view);
        flag_view_fini(&server->loops[i].flags);
        if (server->loops[i].loop) os_loop_destroy(server->loops[i].loop);
    }
    free(server->loops);
    server_certificate_stop(server->certificate);
    api_destroy(server->api);
    query_pool_destroy(server->pool);
    control_pool_destroy(server->control_pool);
    ingest_destroy(server->ingest);
    ingest_states_destroy(server->states);
    ingest_window_destroy(server->window);
    ingest_answers_destroy(server->answers);
    user_agent_parser_destroy(server->user_agents);
    geo_close(server->geo);
    ingest_tables_free(&server->tables);
    remote_store_stop(server->remote);
    store_destroy(server->store);
    engine_child_stop(server->engine);
    people_close(server->people);
    meta_close(server->access);
    telemetry_destroy(server->telemetry);
    metric_registry_destroy(server->metrics);
    if (server->lock_fd >= 0) close(server->lock_fd);
    free(server);
}
