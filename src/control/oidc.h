/* SPDX-License-Identifier: Apache-2.0 */
/* Single sign-on by OpenID Connect: authorization code with PKCE, from the button to the session. */
#ifndef CONTROL_OIDC_H
#define CONTROL_OIDC_H

#include "control/resource.h"

/*
 * Model: an organization sets up providers (control_identity_providers; the client secret by an action of its own, as it
 * goes in and never out). A login is two requests. start: state, nonce and PKCE verifier are drawn, sealed into
 * identity_logins under the hash of state, and the browser goes to the provider. callback: the row is taken (once), the
 * code exchanged, the identity token checked (control/oidc_token.h), the user found, linked or made (control/oidc_user.c), a
 * session begun. A cookie drawn at start must come back at callback, so that nobody can slip somebody else's login under
 * a browser. Whatever goes wrong ends at the page with /#error=sso_.. and, once the provider is known, in an audit event.
 *
 * An organization's provider vouches for users of that organization only, and never for a super administrator.
 */
extern const struct control_resource control_identity_providers;
extern const struct control_action control_identity_provider_actions[];
extern const struct control_action control_oidc_actions[];

#define CONTROL_OIDC_LOGIN_MS 300000 /* to type a password and show a second factor at the provider */

#endif
