/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of users and logins: clients that run actions as api/ would, each with its own cookies and clock. */
#ifndef CONTROL_IDENTITY_FIXTURE_H
#define CONTROL_IDENTITY_FIXTURE_H

#include "control/control_fixture.h"
#include "control/identity.h"
#include "control/login.h"

#define IDENTITY_PASSWORD "four words do well"

/* One client; may be used by another thread than the fixture's. */
struct identity_client {
    struct control_call call;
    struct buffer out;
    struct control_output output;
    struct error error;
    struct json_parser *parser;
    char device[TENANT_TOKEN_SIZE + 1], refresh[TENANT_TOKEN_SIZE + 1]; /* cookies */
    char padded[4096];
    char text[8][1024]; /* of identity_get, in turn */
    size_t next_text;
};
struct identity_client *identity_client_create(struct control_fixture *fixture);
void identity_client_destroy(struct identity_client *client);

/* Runs the action of that method and path (as in the table) with a JSON body (NULL: none) and the id in the path. */
enum error_code identity_act(struct identity_client *client, enum request_method method, const char *path, const char *body,
                             const char *id);
/* A member of the answer as text; fails the test when it is absent. `in` (may be NULL): of that object in it. */
const char *identity_get(struct identity_client *client, const char *in, const char *name);
/* Logs in; on success the client acts as that user from then on, and keeps the refresh token. */
enum error_code identity_login(struct identity_client *client, const char *email, const char *password);
/* A user of the default organization with IDENTITY_PASSWORD and a built-in role (NULL: none). */
void identity_add_user(struct control_fixture *fixture, const char *email, const char *role, char id[37]);
/* The token in the newest mail to the address; fails without one. */
void identity_mailed_token(struct control_fixture *fixture, const char *email, char token[TENANT_TOKEN_SIZE + 1]);
/* One number of core, in a session of its own. */
int64_t identity_count(struct control_fixture *fixture, const char *sql);

#define IDENTITY_OK(client, call)                                                                            \
    do {                                                                                                     \
        enum error_code ok_code = (call);                                                                    \
        if (ok_code) fail_msg("line %d: %s: %s", __LINE__, error_code_name(ok_code), (client)->error.message); \
    } while (0)

#endif
