/* SPDX-License-Identifier: Apache-2.0 */
/* Argon2id PHC strings of secret.h: bounded in number, their memory given back to the kernel after each. */
#include <argon2.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <sys/mman.h>

#include "base/uuid.h"
#include "tenant/base64.h"
#include "tenant/secret.h"
#include "tenant/secret_priv.h"

#define ARGON2_SALT_SIZE 16
#define ARGON2_HASH_SIZE 32
/* What a stored string may ask for at most: a damaged or foreign row must not take the machine's memory. */
#define ARGON2_MEMORY_LIMIT_KIB (256 * 1024)
#define ARGON2_PASSES_LIMIT 16
#define ARGON2_LANES_LIMIT 16
/* Longer texts are neither passwords nor keys. */
#define ARGON2_TEXT_LIMIT 4096

struct argon2_phc {
    uint32_t memory_kib, passes, lanes;
    unsigned char salt[64], hash[64];
    size_t salt_size, hash_size;
};
static struct secret_gate argon2_gate = SECRET_GATE(TENANT_ARGON2_AT_ONCE);

bool secret_gate_enter(struct secret_gate *gate, int64_t wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&gate->lock);
    int result = 0;
    while (gate->inside >= gate->limit && result != ETIMEDOUT)
        result = pthread_cond_clockwait(&gate->left, &gate->lock, CLOCK_MONOTONIC, &until);
    bool is_in = gate->inside < gate->limit;
    if (is_in) gate->inside++;
    pthread_mutex_unlock(&gate->lock);
    return is_in;
}

void secret_gate_leave(struct secret_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->inside--;
    pthread_cond_signal(&gate->left);
    pthread_mutex_unlock(&gate->lock);
}

/* Mapped, not malloc'ed: the allocator would keep 64 MiB per thread that ever checked a password. */
static int argon2_map(uint8_t **memory, size_t size)
{
    void *place = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *memory = place == MAP_FAILED ? NULL : place;
    return *memory ? ARGON2_OK : ARGON2_MEMORY_ALLOCATION_ERROR;
}
static void argon2_unmap(uint8_t *memory, size_t size) { munmap(memory, size); }

/* Fills phc->hash. Takes phc->memory_kib of memory and its time. */
static enum error_code argon2_run(struct argon2_phc *phc, struct slice text, struct error *error)
{
    if (text.size > ARGON2_TEXT_LIMIT)
        return error_set(error, ERROR_TOO_LARGE, "a password or key has at most %d bytes", ARGON2_TEXT_LIMIT);
    /* One thread whatever the lanes: two hashes at once keep two processors busy already. */
    argon2_context context = {
        .out = phc->hash, .outlen = (uint32_t)phc->hash_size, .pwd = (uint8_t *)text.data, .pwdlen = (uint32_t)text.size,
        .salt = phc->salt, .saltlen = (uint32_t)phc->salt_size, .t_cost = phc->passes, .m_cost = phc->memory_kib,
        .lanes = phc->lanes, .threads = 1, .version = ARGON2_VERSION_13, .allocate_cbk = argon2_map,
        .free_cbk = argon2_unmap, .flags = ARGON2_DEFAULT_FLAGS};
    if (!secret_gate_enter(&argon2_gate, TENANT_ARGON2_WAIT_MS))
        return error_set(error, ERROR_UNAVAILABLE, "too many passwords and keys are being checked; try again");
    int result = argon2id_ctx(&context);
    secret_gate_leave(&argon2_gate);
    if (result == ARGON2_MEMORY_ALLOCATION_ERROR)
        return error_set(error, ERROR_MEMORY, "no memory to check a password or key");
    if (result != ARGON2_OK) return error_set(error, ERROR_INTERNAL, "Argon2: %s", argon2_error_message(result));
    return ERROR_NONE;
}

static struct argon2_phc argon2_at_cost(enum tenant_argon2_cost cost)
{
    const struct secret_argon2_cost *numbers = &secret_argon2_costs[cost];
    return (struct argon2_phc){.memory_kib = numbers->memory_kib, .passes = numbers->passes, .lanes = numbers->lanes,
                               .salt_size = ARGON2_SALT_SIZE, .hash_size = ARGON2_HASH_SIZE};
}

enum error_code tenant_argon2_hash(enum tenant_argon2_cost cost, struct slice text, char out[TENANT_PHC_LIMIT],
                                   struct error *error)
{
    struct argon2_phc phc = argon2_at_cost(cost);
    uuid_random_bytes(phc.salt, phc.salt_size);
    enum error_code code = argon2_run(&phc, text, error);
    if (code != ERROR_NONE) return code;
    char salt[TENANT_BASE64_SIZE(ARGON2_SALT_SIZE)], hash[TENANT_BASE64_SIZE(ARGON2_HASH_SIZE)];
    tenant_base64_write(TENANT_BASE64_PLAIN, slice_make(phc.salt, phc.salt_size), salt);
    tenant_base64_write(TENANT_BASE64_PLAIN, slice_make(phc.hash, phc.hash_size), hash);
    snprintf(out, TENANT_PHC_LIMIT, "$argon2id$v=19$m=%u,t=%u,p=%u$%.*s$%.*s", phc.memory_kib, phc.passes, phc.lanes,
             (int)sizeof salt, salt, (int)sizeof hash, hash);
    return ERROR_NONE;
}

/* "name=123" of at least `least` and at most `most`. */
static bool argon2_read_number(struct slice text, const char *name, uint64_t least, uint64_t most, uint32_t *out)
{
    uint64_t value;
    struct slice prefix = slice_from_string(name);
    if (!slice_starts_with(text, prefix) || !slice_parse_uint64(slice_from(text, prefix.size), &value)) return false;
    if (value < least || value > most) return false;
    *out = (uint32_t)value;
    return true;
}

static bool argon2_read_bytes(struct slice text, size_t least, unsigned char *out, size_t limit, size_t *out_size)
{
    struct buffer bytes = {0};
    bool fits = tenant_base64_decode(TENANT_BASE64_PLAIN, text, &bytes) && bytes.size >= least && bytes.size <= limit;
    if (fits) {
        memcpy(out, bytes.data, bytes.size);
        *out_size = bytes.size;
    }
    buffer_free(&bytes);
    return fits;
}

static bool argon2_read_phc(const char *text, struct argon2_phc *phc)
{
    struct slice rest = slice_from_string(text);
    if (!slice_starts_with(rest, SLICE("$argon2id$v=19$"))) return false;
    rest = slice_from(rest, strlen("$argon2id$v=19$"));
    struct slice costs = slice_cut(&rest, '$'), salt = slice_cut(&rest, '$');
    struct slice memory = slice_cut(&costs, ','), passes = slice_cut(&costs, ',');
    return argon2_read_number(memory, "m=", 8, ARGON2_MEMORY_LIMIT_KIB, &phc->memory_kib) &&
           argon2_read_number(passes, "t=", 1, ARGON2_PASSES_LIMIT, &phc->passes) &&
           argon2_read_number(costs, "p=", 1, ARGON2_LANES_LIMIT, &phc->lanes) &&
           phc->memory_kib >= 8 * phc->lanes &&
           argon2_read_bytes(salt, ARGON2_MIN_SALT_LENGTH, phc->salt, sizeof phc->salt, &phc->salt_size) &&
           argon2_read_bytes(rest, 16, phc->hash, sizeof phc->hash, &phc->hash_size);
}

enum error_code tenant_argon2_verify(const char *phc, struct slice text, bool *ret_fits, struct error *error)
{
    struct argon2_phc stored = {0};
    *ret_fits = false;
    bool readable = argon2_read_phc(phc, &stored);
    if (!readable) stored = argon2_at_cost(TENANT_ARGON2_PASSWORD);
    struct argon2_phc given = stored;
    enum error_code code = argon2_run(&given, text, error);
    if (code != ERROR_NONE) return code;
    *ret_fits = CRYPTO_memcmp(given.hash, stored.hash, stored.hash_size) == 0 && readable;
    return ERROR_NONE;
}
