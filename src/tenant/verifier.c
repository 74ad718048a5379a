/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that ask Argon2, a cache they share, and one of each loop. */
/* The plain SHA-256 functions, which OpenSSL 3 wants nobody to use: its others allocate memory for every digest. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tenant/verifier.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/queue.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "os/thread.h"
#include "tenant/secret.h"

#define VERIFIER_MAC_SIZE 32
#define VERIFIER_BLOCK_SIZE 64 /* of SHA-256 */
#define VERIFIER_WAYS 4
/* Sets of four entries of some 60 bytes. Good ones: keys in use; bad ones: what somebody tries. */
#define VERIFIER_LOOP_GOOD_SETS 1024
#define VERIFIER_LOOP_BAD_SETS 256
#define VERIFIER_SHARED_GOOD_SETS 8192
#define VERIFIER_SHARED_BAD_SETS 1024

struct verifier_entry {
    unsigned char mac[VERIFIER_MAC_SIZE];
    int64_t version;
    int64_t until_ms; /* wall clock; 0: unused */
};
/* Good and bad results lie apart: whoever tries wrong secrets drives out no good one. */
struct verifier_cache {
    struct verifier_entry *good, *bad;
    size_t good_sets, bad_sets; /* powers of two */
};

struct tenant_verifier {
    atomic_int references; /* of the refresher and of every attached view */
    atomic_bool stopping;
    struct queue *queue;   /* of struct verifier_job * */
    struct os_thread threads[TENANT_VERIFIER_THREADS];
    SHA256_CTX inner, outer; /* HMAC: digests begun with the key of this process */
    pthread_mutex_t lock;  /* of the shared cache, which loops never look into */
    struct verifier_cache shared;
    atomic_uint_least64_t count;
};

struct verifier_job {
    struct os_task task;   /* first: posted with the result */
    struct tenant_verifier_loop *loop;
    struct verifier_job *next;
    struct tenant_verifier_wait *waits;
    unsigned char mac[VERIFIER_MAC_SIZE];
    int64_t version;
    char key_id[TENANT_KEY_ID_SIZE];
    char secret[TENANT_KEY_SECRET_SIZE];
    char hash[TENANT_PHC_LIMIT];
    enum error_code code;
    bool fits;
    struct error error;
};

struct tenant_verifier_loop {
    struct tenant_verifier *verifier;
    struct os_loop *loop;
    struct verifier_cache cache;
    struct verifier_job *jobs; /* under way: a second request with the same key joins */
};

/* ---- caches ---- */

static bool cache_create(struct verifier_cache *cache, size_t good_sets, size_t bad_sets)
{
    *cache = (struct verifier_cache){.good_sets = good_sets, .bad_sets = bad_sets};
    cache->good = calloc(good_sets * VERIFIER_WAYS, sizeof *cache->good);
    cache->bad = calloc(bad_sets * VERIFIER_WAYS, sizeof *cache->bad);
    return cache->good && cache->bad;
}

static void cache_free(struct verifier_cache *cache)
{
    free(cache->good);
    free(cache->bad);
}

static struct verifier_entry *cache_set(struct verifier_entry *entries, size_t sets, const unsigned char *mac)
{
    uint64_t hash;
    memcpy(&hash, mac, sizeof hash); /* as random as a hash can be */
    return &entries[(hash & (sets - 1)) * VERIFIER_WAYS];
}

static bool cache_has(struct verifier_entry *entries, size_t sets, const unsigned char *mac, int64_t version, int64_t now_ms)
{
    const struct verifier_entry *set = cache_set(entries, sets, mac);
    for (size_t i = 0; i < VERIFIER_WAYS; i++)
        if (set[i].version == version && set[i].until_ms > now_ms &&
            CRYPTO_memcmp(set[i].mac, mac, VERIFIER_MAC_SIZE) == 0)
            return true;
    return false;
}

static enum tenant_verified cache_look(struct verifier_cache *cache, const unsigned char *mac, int64_t version,
                                       int64_t now_ms)
{
    if (cache_has(cache->good, cache->good_sets, mac, version, now_ms)) return TENANT_VERIFIED_GOOD;
    if (cache_has(cache->bad, cache->bad_sets, mac, version, now_ms)) return TENANT_VERIFIED_BAD;
    return TENANT_VERIFIED_UNKNOWN;
}

/* In the place of the same text, or of the entry that ends first. */
static void cache_put(struct verifier_cache *cache, const unsigned char *mac, int64_t version, bool fits, int64_t now_ms)
{
    struct verifier_entry *set = fits ? cache_set(cache->good, cache->good_sets, mac)
                                      : cache_set(cache->bad, cache->bad_sets, mac);
    struct verifier_entry *place = set;
    for (size_t i = 0; i < VERIFIER_WAYS; i++) {
        if (memcmp(set[i].mac, mac, VERIFIER_MAC_SIZE) == 0) {
            place = &set[i];
            break;
        }
        if (set[i].until_ms < place->until_ms) place = &set[i];
    }
    memcpy(place->mac, mac, VERIFIER_MAC_SIZE);
    place->version = version;
    place->until_ms = now_ms + (fits ? TENANT_VERIFIER_GOOD_MS : TENANT_VERIFIER_FAILED_MS);
}

/* HMAC-SHA256. */
static void verifier_mac(const struct tenant_verifier *verifier, struct slice text, unsigned char mac[VERIFIER_MAC_SIZE])
{
    SHA256_CTX digest = verifier->inner;
    SHA256_Update(&digest, text.data, text.size);
    SHA256_Final(mac, &digest);
    digest = verifier->outer;
    SHA256_Update(&digest, mac, VERIFIER_MAC_SIZE);
    SHA256_Final(mac, &digest);
}

/* A key of this process, which nobody ever sees. */
static void verifier_make_key(struct tenant_verifier *verifier)
{
    unsigned char key[VERIFIER_BLOCK_SIZE] = {0}, inner[VERIFIER_BLOCK_SIZE], outer[VERIFIER_BLOCK_SIZE];
    uuid_random_bytes(key, VERIFIER_MAC_SIZE);
    for (size_t i = 0; i < VERIFIER_BLOCK_SIZE; i++) {
        inner[i] = key[i] ^ 0x36;
        outer[i] = key[i] ^ 0x5C;
    }
    SHA256_Init(&verifier->inner);
    SHA256_Update(&verifier->inner, inner, sizeof inner);
    SHA256_Init(&verifier->outer);
    SHA256_Update(&verifier->outer, outer, sizeof outer);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(inner, sizeof inner);
    OPENSSL_cleanse(outer, sizeof outer);
}

/* ---- threads ---- */

static void verifier_work(struct tenant_verifier *verifier, struct verifier_job *job)
{
    if (atomic_load(&verifier->stopping)) {
        job->code = error_set(&job->error, ERROR_UNAVAILABLE, "the server is stopping");
        return;
    }
    pthread_mutex_lock(&verifier->lock);
    enum tenant_verified known = cache_look(&verifier->shared, job->mac, job->version, os_clock_wall_ms());
    pthread_mutex_unlock(&verifier->lock);
    job->code = ERROR_NONE;
    job->fits = known == TENANT_VERIFIED_GOOD;
    if (known != TENANT_VERIFIED_UNKNOWN) return;
    atomic_fetch_add(&verifier->count, 1);
    job->code = tenant_argon2_verify(job->hash, slice_make(job->secret, sizeof job->secret), &job->fits, &job->error);
    if (job->code) return;
    pthread_mutex_lock(&verifier->lock);
    cache_put(&verifier->shared, job->mac, job->version, job->fits, os_clock_wall_ms());
    pthread_mutex_unlock(&verifier->lock);
}

static void verifier_run(void *context)
{
    struct tenant_verifier *verifier = context;
    for (struct verifier_job *job; (job = queue_pop(verifier->queue, -1));) {
        struct os_loop *loop = job->loop->loop;
        verifier_work(verifier, job);
        OPENSSL_cleanse(job->secret, sizeof job->secret);
        os_loop_post(loop, &job->task);
    }
}

static void verifier_release(struct tenant_verifier *verifier)
{
    if (!verifier || atomic_fetch_sub_explicit(&verifier->references, 1, memory_order_acq_rel) != 1) return;
    cache_free(&verifier->shared);
    if (verifier->queue) queue_destroy(verifier->queue);
    OPENSSL_cleanse(&verifier->inner, sizeof verifier->inner);
    OPENSSL_cleanse(&verifier->outer, sizeof verifier->outer);
    pthread_mutex_destroy(&verifier->lock);
    free(verifier);
}

enum error_code tenant_verifier_create(struct tenant_verifier **ret_verifier, struct error *error)
{
    struct tenant_verifier *verifier = calloc(1, sizeof *verifier);
    if (!verifier) return error_set(error, ERROR_MEMORY, "out of memory for the verification of keys");
    atomic_init(&verifier->references, 1);
    pthread_mutex_init(&verifier->lock, NULL);
    verifier->queue = queue_create(TENANT_VERIFIER_QUEUE_LIMIT);
    verifier_make_key(verifier);
    enum error_code code = ERROR_NONE;
    if (!cache_create(&verifier->shared, VERIFIER_SHARED_GOOD_SETS, VERIFIER_SHARED_BAD_SETS) || !verifier->queue)
        code = error_set(error, ERROR_MEMORY, "out of memory for the verification of keys");
    for (size_t i = 0; !code && i < TENANT_VERIFIER_THREADS; i++)
        code = os_thread_start(&verifier->threads[i], "verifier", verifier_run, verifier, error);
    if (code) {
        tenant_verifier_stop(verifier);
        return code;
    }
    *ret_verifier = verifier;
    return ERROR_NONE;
}

void tenant_verifier_stop(struct tenant_verifier *verifier)
{
    if (!verifier) return;
    atomic_store(&verifier->stopping, true);
    if (verifier->queue) queue_close(verifier->queue);
    for (size_t i = 0; i < TENANT_VERIFIER_THREADS; i++) os_thread_join(&verifier->threads[i]);
    verifier_release(verifier);
}

uint64_t tenant_verifier_count(struct tenant_verifier *verifier) { return atomic_load(&verifier->count); }

/* ---- loops ---- */

enum error_code tenant_verifier_attach(struct tenant_verifier *verifier, struct tenant_view *view, struct error *error)
{
    struct tenant_verifier_loop *loop = calloc(1, sizeof *loop);
    if (!loop) return error_set(error, ERROR_MEMORY, "out of memory for the verification of keys");
    atomic_fetch_add_explicit(&verifier->references, 1, memory_order_relaxed);
    loop->verifier = verifier;
    loop->loop = view->loop;
    if (!cache_create(&loop->cache, VERIFIER_LOOP_GOOD_SETS, VERIFIER_LOOP_BAD_SETS)) {
        tenant_verifier_detach(loop);
        return error_set(error, ERROR_MEMORY, "out of memory for the verification of keys");
    }
    view->verifier = loop;
    return ERROR_NONE;
}

void tenant_verifier_detach(struct tenant_verifier_loop *loop)
{
    if (!loop) return;
    /* Posted to a loop that ended before: nobody waits for them any more. */
    for (struct verifier_job *job = loop->jobs, *next; job; job = next) {
        next = job->next;
        free(job);
    }
    cache_free(&loop->cache);
    verifier_release(loop->verifier);
    free(loop);
}

enum tenant_verified tenant_verifier_look(struct tenant_verifier_loop *loop, struct slice key, int64_t version, int64_t now_ms)
{
    unsigned char mac[VERIFIER_MAC_SIZE];
    verifier_mac(loop->verifier, key, mac);
    return cache_look(&loop->cache, mac, version, now_ms);
}

/* On the loop: everybody who waits for this secret goes on. */
static void verifier_done(struct os_task *task)
{
    struct verifier_job *job = (struct verifier_job *)task;
    struct tenant_verifier_loop *loop = job->loop;
    struct verifier_job **link = &loop->jobs;
    while (*link != job) link = &(*link)->next;
    *link = job->next;
    if (job->code == ERROR_NONE) cache_put(&loop->cache, job->mac, job->version, job->fits, os_clock_wall_ms());
    struct tenant_verifier_wait *wait = job->waits;
    for (struct tenant_verifier_wait *next; wait; wait = next) {
        next = wait->next; /* the wait may be gone with its request's answer */
        wait->done(wait, job->code, &job->error);
    }
    free(job);
}

/* A job for this text, under way already or new. NULL with `error` filled when there is no room for it. */
static struct verifier_job *verifier_job_find(struct tenant_verifier_loop *loop, struct slice key, int64_t version,
                                              const char *hash, struct error *error)
{
    struct slice key_id, secret;
    unsigned char mac[VERIFIER_MAC_SIZE];
    size_t same_key = 0;
    if (!tenant_key_split(key, &key_id, &secret) || secret.size != TENANT_KEY_SECRET_SIZE || strlen(hash) >= TENANT_PHC_LIMIT) {
        error_set(error, ERROR_UNAVAILABLE, "the key cannot be checked now");
        return NULL;
    }
    verifier_mac(loop->verifier, key, mac);
    for (struct verifier_job *job = loop->jobs; job; job = job->next) {
        if (job->version == version && memcmp(job->mac, mac, sizeof mac) == 0) return job;
        same_key += memcmp(job->key_id, key_id.data, TENANT_KEY_ID_SIZE) == 0;
    }
    struct verifier_job *job = same_key < TENANT_VERIFIER_KEY_LIMIT ? calloc(1, sizeof *job) : NULL;
    if (job) {
        *job = (struct verifier_job){.task.run = verifier_done, .loop = loop, .version = version, .next = loop->jobs};
        memcpy(job->mac, mac, sizeof mac);
        memcpy(job->key_id, key_id.data, TENANT_KEY_ID_SIZE);
        memcpy(job->secret, secret.data, TENANT_KEY_SECRET_SIZE);
        memcpy(job->hash, hash, strlen(hash) + 1);
        /* A thread may be done with it at once, but it comes back through this loop, after this callback. */
        if (queue_try_push(loop->verifier->queue, job)) {
            loop->jobs = job;
            return job;
        }
        OPENSSL_cleanse(job->secret, sizeof job->secret);
        free(job);
    }
    error_set(error, ERROR_UNAVAILABLE, "too many keys are being checked for the first time; send this again later");
    return NULL;
}

enum error_code tenant_verifier_wait(const struct tenant_view *view, struct slice key, struct tenant_verifier_wait *wait,
                                     struct error *error)
{
    struct slice key_id, secret;
    bool is_previous = false;
    const struct tenant_key *found = NULL;
    if (view->verifier && tenant_key_split(key, &key_id, &secret))
        found = tenant_snapshot_key(tenant_view_snapshot(view), key_id, &is_previous);
    const char *hash = !found ? NULL : is_previous ? found->previous_secret_hash : found->secret_hash;
    if (!hash) return error_set(error, ERROR_UNAVAILABLE, "the key cannot be checked now");
    struct verifier_job *job = verifier_job_find(view->verifier, key, found->version, hash, error);
    if (!job) return ERROR_UNAVAILABLE;
    wait->next = job->waits;
    job->waits = wait;
    return ERROR_NONE;
}
