/* SPDX-License-Identifier: Apache-2.0 */
/* Feature flags, the groups they are for, and short links. */
#include "control/flag_schedule.h"
#include "control/product.h"

#define PRODUCT_RULES_BYTES (64 * 1024) /* batch rules list a few thousand ids; longer lists are groups */

static const char *const flag_types[] = {"boolean", "rollout", "multivariant", NULL};
static const char *const flag_statuses[] = {"active", "inactive", "archived", NULL};
static const char *const rollout_kinds[] = {"user", "organization", "team", NULL};
static const char *const flag_hashes[] = {"stable", "legacy", NULL};

static const struct control_field flag_fields[] = {
    {"flag_key", CONTROL_SLUG, CONTROL_REQUIRED | CONTROL_IMMUTABLE, 1, 100, .help = "Key by which code asks for it."},
    {"name", CONTROL_TEXT, 0, 0, 128, .help = "Name for people."},
    {"description", CONTROL_LONG_TEXT, 0, 0, 4096, .help = "What it switches."},
    {"type", CONTROL_WORD, .words = flag_types, .help = "How its value is found."},
    {"status", CONTROL_WORD, .words = flag_statuses, .help = "Only active flags are evaluated."},
    {"default_value", CONTROL_JSON, CONTROL_SCALAR, 0, 4096, .help = "Value when no rule fits; of a boolean flag true or false."},
    {"payload", CONTROL_JSON, CONTROL_NULLABLE | CONTROL_SCALAR, 0, PRODUCT_RULES_BYTES, .help = "Given along when the flag is on."},
    {"rules", CONTROL_JSON, 0, 0, PRODUCT_RULES_BYTES, .help = "Rules, first match wins: docs/flags.md."},
    {"persist_across_auth", CONTROL_BOOLEAN, .help = "Whether logging in keeps the value."},
    {"rollout_percentage", CONTROL_INTEGER, 0, 0, 100, .help = "Share that gets it."},
    {"rollout_by", CONTROL_WORD, .words = rollout_kinds, .help = "Whom the share is of."},
    {"hash", CONTROL_WORD, .words = flag_hashes, .help = "How people are dealt to shares and variants; legacy keeps the places Databuddy gave them."},
    {"schedule", CONTROL_JSON, 0, 0, PRODUCT_RULES_BYTES, .help = "What happens when: [{scheduledAt, type enable, disable or update_rollout, value}]."},
    {"variants", CONTROL_JSON, 0, 0, PRODUCT_RULES_BYTES, .help = "Values of a multivariant flag, with weights."},
    {"dependencies", CONTROL_WORDS, 0, 0, 50, .help = "Keys of flags that must be on."},
    {"target_group_ids", CONTROL_WORDS, 0, 0, 50, .help = "Groups whose rules are asked after its own."},
    {"environment", CONTROL_TEXT, 0, 0, 64, .help = "Environment it is for; empty: where none is named."},
    {"created_by", CONTROL_TEXT, CONTROL_READ_ONLY, 0, 36, .help = "User or key that made it."},
    {0},
};
const struct control_resource control_flags = {
    .name = "flag", .plural = "flags", .service = "product", .table = "flags", .id_column = "flag_id",
    .scope = CONTROL_TENANT, .belongs = "tenant_id = $1", .scope_column = "tenant_id",
    .read = TENANT_FLAGS_READ, .create = TENANT_FLAGS_WRITE, .write = TENANT_FLAGS_WRITE, .delete_ = TENANT_FLAGS_DELETE,
    .soft_delete = true, .limit = 2000, .limit_reason = "clients fetch all of them at once",
    .fields = flag_fields, .check = control_flag_check, .prepare = control_flag_apply_schedule, .help = "Switches in the code of clients.",
};

static const struct control_field target_group_fields[] = {
    {"name", CONTROL_TEXT, CONTROL_REQUIRED, 1, 128, .help = "Name of the group."},
    {"description", CONTROL_LONG_TEXT, 0, 0, 4096, .help = "Who is in it."},
    {"rules", CONTROL_JSON, 0, 0, PRODUCT_RULES_BYTES, .help = "Rules that make a person a member."},
    {"created_by", CONTROL_TEXT, CONTROL_READ_ONLY, 0, 36, .help = "User or key that made it."},
    {0},
};
const struct control_resource control_target_groups = {
    .name = "target_group", .plural = "target_groups", .service = "product", .table = "target_groups",
    .id_column = "target_group_id",
    .scope = CONTROL_TENANT, .belongs = "tenant_id = $1", .scope_column = "tenant_id",
    .read = TENANT_FLAGS_READ, .create = TENANT_FLAGS_WRITE, .write = TENANT_FLAGS_WRITE, .delete_ = TENANT_FLAGS_DELETE,
    .soft_delete = true, .limit = 500, .limit_reason = "their rules are read with every flag",
    .fields = target_group_fields, .check = control_target_group_check, .help = "Groups of people that flags are for.",
};

static const struct control_field link_fields[] = {
    {"slug", CONTROL_SLUG, CONTROL_REQUIRED | CONTROL_IMMUTABLE, 3, 50, .help = "The short address, unique among all."},
    {"name", CONTROL_TEXT, CONTROL_REQUIRED, 1, 255, .help = "Name for people."},
    {"target_url", CONTROL_URL, CONTROL_REQUIRED, 1, 2048, .help = "Where it leads."},
    {"og_title", CONTROL_TEXT, 0, 0, 200, .help = "Title in previews."},
    {"og_description", CONTROL_TEXT, 0, 0, 500, .help = "Text in previews."},
    {"og_image_url", CONTROL_URL, 0, 0, 2048, .help = "Picture in previews."},
    {"expires_at", CONTROL_TIME, CONTROL_NULLABLE, .help = "When it ends."},
    {"expired_redirect_url", CONTROL_URL, 0, 0, 2048, .help = "Where it leads then."},
    {"ios_url", CONTROL_URL, 0, 0, 2048, .help = "Where it leads on iOS."},
    {"android_url", CONTROL_URL, 0, 0, 2048, .help = "Where it leads on Android."},
    {"external_id", CONTROL_TEXT, 0, 0, 255, .help = "Its id in another system."},
    {"deep_link_app", CONTROL_TEXT, 0, 0, 64, .help = "App that opens it."},
    {"created_by", CONTROL_TEXT, CONTROL_READ_ONLY, 0, 36, .help = "User or key that made it."},
    {0},
};
const struct control_resource control_links = {
    .name = "link", .plural = "links", .service = "product", .table = "links", .id_column = "link_id",
    .scope = CONTROL_TENANT, .belongs = "tenant_id = $1", .scope_column = "tenant_id",
    .read = TENANT_LINKS_READ, .create = TENANT_LINKS_WRITE, .write = TENANT_LINKS_WRITE, .delete_ = TENANT_LINKS_DELETE,
    .soft_delete = true, .limit = 100000, .limit_reason = "one for each item of a large shop's mailing",
    .fields = link_fields, .help = "Short links.",
};
